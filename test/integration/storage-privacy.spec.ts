import { PRIVACY_TABLE, seesPresence, type PresenceSide } from '@tidings/protocol/privacy';
import { uuidv7 } from 'uuidv7';
import {
  codeOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type TestUser,
} from './storage-support';

const SETTINGS = Object.keys(PRIVACY_TABLE.lastSeen) as PresenceSide['lastSeen'][];
const EITHER = [false, true];
/** All that one of a pair may have set towards the other one. */
const SIDES: PresenceSide[] = SETTINGS.flatMap((lastSeen) =>
  EITHER.flatMap((hasOther) => EITHER.map((blocksOther) => ({ lastSeen, hasOther, blocksOther }))),
);

describe('storage: privacy', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
    [ann, bob] = await Promise.all([newUser(one.rpc, 'ann'), newUser(one.rpc, 'bob')]);
  }, 240_000);

  afterAll(() => fixture?.stop());

  const visible = async (viewer: TestUser, ...userIds: string[]): Promise<string[]> => {
    const { items } = await two.rpc.call('presence.visible', { viewerId: viewer.id, userIds });
    return items.sort();
  };

  async function set(user: TestUser, other: TestUser, side: PresenceSide): Promise<void> {
    const [userId, contactId] = [user.id, other.id];
    const { lastSeen, hasOther, blocksOther } = side;
    await one.rpc.call('accounts.patch', { userId, privacy: { lastSeen } });
    await one.rpc.call(hasOther ? 'contacts.put' : 'contacts.delete', { userId, contactId });
    const call = blocksOther ? 'blocks.put' : 'blocks.delete';
    await one.rpc.call(call, { userId, blockedId: contactId });
  }

  it.each(SIDES)(
    'shows presence as the table says, viewer %j, whatever the other one has set',
    async (viewer) => {
      await set(ann, bob, viewer);
      for (const other of SIDES) {
        await set(bob, ann, other);
        const seen = seesPresence(viewer, other) ? [bob.id] : [];
        expect({ other, seen: await visible(ann, bob.id) }).toEqual({ other, seen });
        expect(await visible(ann, ann.id, bob.id)).toEqual([ann.id, ...seen].sort());
      }
    },
  );

  it('shows nobody whom it does not know, and nobody to whom it does not know', async () => {
    const stranger = { ...ann, id: uuidv7() };
    expect(await visible(ann, stranger.id, ann.id)).toEqual([ann.id]);
    expect(await visible(stranger, bob.id, stranger.id)).toEqual([]);
  });

  it('shows nobody whose account is disabled, and shows them again when it is not', async () => {
    const [cat, dan] = await Promise.all([newUser(one.rpc, 'cat'), newUser(one.rpc, 'dan')]);
    const act = { by: { actor: null, origin: 'test' }, whom: { userId: dan.id } };
    expect(await visible(cat, dan.id)).toEqual([dan.id]);
    await one.rpc.call('admin.disable', act);
    expect(await visible(cat, dan.id)).toEqual([]);
    await one.rpc.call('admin.enable', act);
    expect(await visible(cat, dan.id)).toEqual([dan.id]);
  });

  describe('messages: contacts', () => {
    const direct = (from: TestUser, to: TestUser, storage = two) =>
      storage.rpc.call('conversations.direct', { userId: from.id, otherId: to.id });
    const closed = async (): Promise<[owner: TestUser, stranger: TestUser]> => {
      const pair = await Promise.all([newUser(one.rpc, 'closed'), newUser(one.rpc, 'stranger')]);
      const privacy = { messages: 'contacts' } as const;
      await one.rpc.call('accounts.patch', { userId: pair[0].id, privacy });
      return pair;
    };
    const put = (user: TestUser, contact: TestUser) =>
      one.rpc.call('contacts.put', { userId: user.id, contactId: contact.id });

    it('lets those begin whom the owner has, and nobody because they have the owner', async () => {
      const [owner, stranger] = await closed();
      await put(stranger, owner);
      expect(await codeOf(direct(stranger, owner))).toBe('not_allowed');
      await put(owner, stranger);
      expect((await direct(stranger, owner)).created).toBe(true);
    });

    it('lets the owner begin, and what is there go on', async () => {
      const [owner, stranger] = await closed();
      const { conversation } = await direct(owner, stranger);
      const found = await direct(stranger, owner);
      expect([found.created, found.conversation.id]).toEqual([false, conversation.id]);
    });

    it('says `blocked` to who is blocked, as to anybody', async () => {
      const [owner, stranger] = await closed();
      await one.rpc.call('blocks.put', { userId: owner.id, blockedId: stranger.id });
      expect(await codeOf(direct(stranger, owner))).toBe('blocked');
    });

    it('holds when both begin at once: the stranger finds the conversation, or asks again', async () => {
      const outcomes = new Set<string>();
      for (let round = 0; round < 8; round++) {
        const [owner, stranger] = await closed();
        const [mine, theirs] = await Promise.all([
          codeOf(direct(owner, stranger, one)),
          codeOf(direct(stranger, owner)),
        ]);
        expect(mine).toBe('ok');
        expect(['ok', 'not_allowed']).toContain(theirs);
        outcomes.add(theirs);
        const [a, b] = [await direct(stranger, owner), await direct(owner, stranger)];
        expect([a.created, a.conversation.id]).toEqual([false, b.conversation.id]);
      }
    });
  });

  describe('groups: contacts', () => {
    const make = (creator: TestUser, requestId: string, ...others: { id: string }[]) => {
      const userIds = others.map(({ id }) => id);
      return two.rpc.call('conversations.group', {
        userId: creator.id,
        requestId,
        title: 'G',
        userIds,
      });
    };
    const close = async (user: TestUser): Promise<TestUser> => {
      const privacy = { groups: 'contacts' } as const;
      await one.rpc.call('accounts.patch', { userId: user.id, privacy });
      return user;
    };
    const add = (by: TestUser, conversationId: string, ...others: { id: string }[]) => {
      const memberIds = others.map(({ id }) => id);
      return one.rpc.call('members.add', { userId: by.id, conversationId, memberIds });
    };
    const set = (call: 'contacts.put' | 'contacts.delete', user: TestUser, contact: TestUser) =>
      one.rpc.call(call, { userId: user.id, contactId: contact.id });

    it('lets those make groups with the owner whom the owner has, one closed member refuses all', async () => {
      const [creator, open] = await Promise.all([
        newUser(one.rpc, 'maker'),
        newUser(one.rpc, 'open'),
      ]);
      const owner = await close(await newUser(one.rpc, 'closed'));
      await set('contacts.put', creator, owner);
      expect(await codeOf(make(creator, 'r1', open, owner))).toBe('not_allowed');
      expect((await make(creator, 'r1', open)).created).toBe(true);
      await set('contacts.put', owner, creator);
      expect((await make(creator, 'r2', open, owner)).created).toBe(true);
      // what was made is found, whatever has changed since
      await set('contacts.delete', owner, creator);
      expect((await make(creator, 'r2', open, owner)).created).toBe(false);
      expect(await codeOf(make(creator, 'r3', owner))).toBe('not_allowed');
    });

    it('lets only those add the owner, also again; who is a member stays one', async () => {
      const [admin, open] = await Promise.all([
        newUser(one.rpc, 'admin'),
        newUser(one.rpc, 'open'),
      ]);
      const owner = await close(await newUser(one.rpc, 'closed'));
      const { id } = (await make(admin, 'r', open)).conversation;
      expect(await codeOf(add(admin, id, owner))).toBe('not_allowed');
      await set('contacts.put', owner, admin);
      expect((await add(admin, id, owner)).memberCount).toBe(3);
      await set('contacts.delete', owner, admin);
      // repeated: nothing is to be done
      expect((await add(admin, id, owner, open)).memberCount).toBe(3);
      const leave = { userId: owner.id, conversationId: id, memberId: owner.id };
      await one.rpc.call('members.remove', leave);
      expect(await codeOf(add(admin, id, owner))).toBe('not_allowed');
    });

    it('tells nobody more than that it is refused', async () => {
      const [creator, open] = await Promise.all([
        newUser(one.rpc, 'maker'),
        newUser(one.rpc, 'open'),
      ]);
      const owner = await close(await newUser(one.rpc, 'closed'));
      const { id } = (await make(creator, 'r', open)).conversation;
      const refusals = [
        make(creator, 's', open, owner),
        add(creator, id, open, owner),
        add(open, id, creator),
      ];
      const told = await Promise.all(
        refusals.map((r) =>
          r.then(
            () => null,
            (e: Error) => e.message,
          ),
        ),
      );
      expect(new Set(told).size).toBe(1);
      expect(told[0]).not.toContain(owner.id);
    });
  });

  describe('findByEmail', () => {
    const find = async (email: string) => (await two.rpc.call('users.byEmail', { email })).items;

    it('finds who allows it by the whole address, and nobody else', async () => {
      const user = await newUser(one.rpc, 'mail');
      const [row] = await fixture.rows<{ email: string }>('SELECT email FROM users WHERE id = $1', [
        user.id,
      ]);
      const { email } = row!;
      expect(await find(email)).toEqual([]);
      await one.rpc.call('accounts.patch', { userId: user.id, privacy: { findByEmail: true } });
      expect((await find(` ${email.toUpperCase()} `)).map(({ id }) => id)).toEqual([user.id]);
      expect(Object.keys((await find(email))[0]!).sort()).toEqual(['firstName', 'id', 'username']);
      for (const part of [email.slice(0, -1), email.slice(1), '%', '@', `${email}%`]) {
        expect(await find(part)).toEqual([]);
      }
      await one.rpc.call('accounts.patch', { userId: user.id, privacy: { findByEmail: false } });
      expect(await find(email)).toEqual([]);
    });
  });
});
