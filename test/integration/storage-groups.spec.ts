import { changedConversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { uuidv7 } from 'uuidv7';
import {
  add,
  change,
  create,
  eventsOf,
  memberRows,
  newGroup,
  PATIENT,
  remove,
  setRole,
  startForGroups,
} from './storage-groups-support';
import { eventually } from '../support/eventually';
import {
  codeOf,
  messageOf,
  type RunningStorage,
  type StorageFixture,
  type TestUser,
  synced,
} from './storage-support';

describe('storage: groups', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let ann: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  let dave: TestUser;

  beforeAll(async () => {
    ({ fixture, one, two, ann, bob, carol, dave } = await startForGroups());
  }, 240_000);

  afterAll(() => fixture?.stop());

  describe('creation', () => {
    it('20 times at once with one request id, on two instances: one group, one creation', async () => {
      const requestId = 'the-same';
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          create(i % 2 ? one : two, ann, [bob], { requestId, title: `title ${i}` }),
        ),
      );
      const ids = new Set(answers.map((a) => a.conversation.id));
      expect([ids.size, answers.filter((a) => a.created).length]).toEqual([1, 1]);
      const [id] = [...ids] as [string];
      expect(await eventsOf(fixture, id, 1)).toMatchObject([
        { kind: 'created', conversationKind: 'group' },
      ]);
      const other = await create(one, bob, [ann], { requestId });
      expect([other.created, ids.has(other.conversation.id)]).toEqual([true, false]);
    });

    it('has an owner, a title, a lifetime, and everybody once', async () => {
      const given = { messageTtlSeconds: 60, history: 'all' as const };
      const { conversation } = await create(one, ann, [bob, ann, bob], given);
      expect(conversation).toMatchObject({
        kind: 'group',
        title: 'A group',
        messageTtlSeconds: 60,
        memberCount: 2,
        visibleFrom: '0',
      });
      const roles = conversation.members!.map((m) => [m.userId, m.role]);
      expect(new Map(roles as [string, string][])).toEqual(
        new Map([
          [ann.id, 'owner'],
          [bob.id, 'member'],
        ]),
      );
      const { items } = await one.rpc.call('conversations.routing', {
        conversations: [{ conversationId: conversation.id }],
      });
      expect(items).toMatchObject([{ messageTtlSeconds: 60, version: 1 }]);
    });

    it('with somebody unknown is refused and leaves nothing', async () => {
      const requestId = 'unknown-user';
      const userIds = [bob.id, uuidv7()];
      expect(await codeOf(create(one, ann, [], { requestId, userIds }))).toBe('not_found');
      expect(
        await fixture.rows('SELECT 1 FROM conversations WHERE request_id = $1', [requestId]),
      ).toEqual([]);
    });
  });

  describe('changes', () => {
    it('are entries in the order of their versions, with the position that is answered', async () => {
      const id = await newGroup(one, ann, bob);
      const title = await change(one, ann, id, { title: 'Another' });
      const both = await change(two, ann, id, { title: 'A third', messageTtlSeconds: 60 });
      const none = await change(one, ann, id, { title: 'A third', messageTtlSeconds: 60 });
      const off = await change(two, ann, id, { messageTtlSeconds: null });
      expect(changedConversation.parse(off)).toEqual(off);
      expect(none.position).toBeUndefined();
      const [, first, second, third, last] = await eventsOf(fixture, id, 5);
      expect([first, second, third, last]).toMatchObject([
        { kind: 'title', title: 'Another', position: title.position },
        { kind: 'title', title: 'A third' },
        { kind: 'ttl', messageTtlSeconds: 60, position: both.position },
        { kind: 'ttl', messageTtlSeconds: null, position: off.position },
      ]);
      expect(off.title).toBe('A third');
      expect(off).not.toHaveProperty('messageTtlSeconds');
    });

    it('give members intervals: who is added, removed and added again sees the last one', async () => {
      const id = await newGroup(one, ann, bob);
      const joined = await add(one, ann, id, [carol.id, bob.id]);
      const from = BigInt(joined.position!) - 1n;
      expect((await memberRows(fixture, id)).get(carol.id)).toMatchObject({
        from_position: String(from),
        until_position: null,
        pending: false,
      });
      await remove(two, ann, id, carol);
      const [, , removal] = await eventsOf(fixture, id, 3);
      expect(removal).toMatchObject({ kind: 'removed', userIds: [carol.id] });
      expect((await memberRows(fixture, id)).get(carol.id)).toMatchObject({
        from_position: String(from),
        until_position: removal!.position,
        pending: false,
      });
      const [between] = await fixture.append([messageOf(id, ann.id, 'without carol')]);
      const back = await add(two, ann, id, [carol.id]);
      expect(back.memberCount).toBe(3);
      expect(BigInt(back.position!)).toBeGreaterThan(BigInt(between!));
      expect((await memberRows(fixture, id)).get(carol.id)).toMatchObject({
        from_position: String(BigInt(back.position!) - 1n),
        until_position: null,
      });
    });

    it('with all history begin at the beginning, and are new at the next sync', async () => {
      const { conversation } = await create(one, ann, [bob], { history: 'all' });
      const conversationId = conversation.id;
      await fixture.append([messageOf(conversationId, ann.id, 'before carol')]);
      const sync = async (since?: string) => {
        const request = since === undefined ? {} : { since };
        const input = { userId: carol.id, request, barrier: await fixture.barrier() };
        const bodies = await synced(two.rpc, input);
        return { last: bodies.at(-1)!, all: bodies.flatMap((body) => body.conversations) };
      };
      const { last } = await sync();
      await add(one, ann, conversationId, [carol.id]);
      const { all } = await sync(last.since);
      expect(all).toMatchObject([{ conversationId, state: 'new', more: false }]);
      expect(all[0]!.messages.map((m) => m.content.kind)).toEqual(['event', 'text', 'event']);
    });

    it('many at once on two instances: every one an entry, versions without a hole', async () => {
      const id = await newGroup(one, ann, bob, carol);
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          change(i % 2 ? one : two, ann, id, { title: `t${i}` }),
        ),
      );
      const entries = await eventsOf(fixture, id, 31);
      const positions = new Set(entries.slice(1).map((e) => e.position));
      expect(new Set(answers.map((a) => a.position))).toEqual(positions);
      const [row] = await fixture.rows<{ version: number; title: string }>(
        'SELECT version, title FROM conversations WHERE id = $1',
        [id],
      );
      expect(row).toMatchObject({ version: 31, title: entries.at(-1)!['title'] });
    });

    it('two admins who remove each other: one is removed, by the other', async () => {
      for (let round = 0; round < 5; round++) {
        const id = await newGroup(one, ann, bob, carol);
        await setRole(one, ann, id, bob, 'admin');
        await setRole(one, ann, id, carol, 'admin');
        const outcomes = await Promise.all([
          codeOf(remove(one, bob, id, carol)),
          codeOf(remove(two, carol, id, bob)),
        ]);
        expect([...outcomes].sort()).toEqual(['no_such_conversation', 'ok']);
        const gone = outcomes[0] === 'ok' ? carol : bob;
        const removals = (await eventsOf(fixture, id, 4)).filter((e) => e['kind'] === 'removed');
        expect(removals).toMatchObject([{ userIds: [gone.id] }]);
      }
    });

    it('adding and removing the same one at once ends as the entries say', async () => {
      const id = await newGroup(one, ann, bob);
      for (let round = 0; round < 10; round++) {
        await Promise.all([
          add(one, ann, id, [carol.id]),
          add(two, ann, id, [carol.id]),
          codeOf(remove(two, ann, id, carol)),
        ]);
      }
      await eventually(async () => {
        const entries = await fixture.rows<{ content: string }>(
          `SELECT content FROM messages WHERE conversation_id = $1 AND kind = 'event'
           ORDER BY position OFFSET 1`,
          [id],
        );
        const kinds = entries.map(
          (e) => (JSON.parse(e.content) as { event: { kind: string } }).event.kind,
        );
        kinds.forEach((kind, i) => expect(kind).toBe(i % 2 ? 'removed' : 'added'));
        const row = (await memberRows(fixture, id)).get(carol.id)!;
        expect(row.pending).toBe(false);
        expect(row.until_position === null).toBe(kinds.at(-1) === 'added');
      });
    });

    it('while messages flow lock nobody out, and every row is settled at its entry', async () => {
      const id = await newGroup(one, ann, bob);
      let flowing = true;
      const flow = (async () => {
        while (flowing) {
          await fixture.append(Array.from({ length: 20 }, () => messageOf(id, ann.id, 'x')));
        }
      })();
      for (let round = 0; round < 25; round++) {
        await Promise.all([
          add(one, ann, id, [carol.id]),
          add(two, ann, id, [dave.id]),
          change(round % 2 ? one : two, ann, id, { title: `round ${round}` }),
        ]);
        await Promise.all([remove(one, ann, id, carol), remove(two, ann, id, dave)]);
      }
      flowing = false;
      await flow;
      const entries = await eventsOf(fixture, id, 1 + 25 * 5);
      for (const user of [carol, dave]) {
        const own = entries.filter((e) => (e['userIds'] as string[] | undefined)?.[0] === user.id);
        const [added, removed] = own.slice(-2);
        expect((await memberRows(fixture, id)).get(user.id)).toMatchObject({
          from_position: String(BigInt(added!.position) - 1n),
          until_position: removed!.position,
          pending: false,
        });
      }
      const [database] = await fixture.rows<{ deadlocks: string }>(
        'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
      );
      expect(database!.deadlocks).toBe('0');
    });

    it('a leaving owner is followed by the oldest admin, else the oldest member, else nobody', async () => {
      const id = await newGroup(one, ann, bob);
      await add(one, ann, id, [carol.id]);
      await add(one, ann, id, [dave.id]);
      await setRole(one, ann, id, dave, 'admin');
      await remove(one, ann, id, ann);
      expect((await memberRows(fixture, id)).get(dave.id)?.role).toBe('owner');
      await remove(one, dave, id, dave);
      expect((await memberRows(fixture, id)).get(bob.id)?.role).toBe('owner');
      await remove(one, bob, id, bob);
      expect((await memberRows(fixture, id)).get(carol.id)?.role).toBe('owner');
      await remove(one, carol, id, carol);
      const removals = (await eventsOf(fixture, id, 8)).filter((e) => e['kind'] === 'removed');
      expect(removals.map((e) => e['owner'])).toEqual([dave.id, bob.id, carol.id, undefined]);
      expect(await codeOf(change(one, carol, id, { title: 'x' }))).toBe('no_such_conversation');
    });
  });

  it('a group of the most members is made, listed page by page, and full', async () => {
    const ids = Array.from({ length: LIMITS.groupMembers }, () => uuidv7());
    await fixture.rows(
      `INSERT INTO users (id, username, username_key, email, email_key, first_name, password_hash)
       SELECT u, u, u, u, u, 'Many', '' FROM unnest($1::uuid[]) u`,
      [ids],
    );
    expect(await codeOf(create(one, ann, [], { userIds: ids }))).toBe('group_full');
    const { conversation } = await create(one, ann, [], { userIds: ids.slice(1) });
    expect(conversation.memberCount).toBe(LIMITS.groupMembers);
    expect(conversation.members).toBeUndefined();
    expect(await codeOf(add(two, ann, conversation.id, [ids[0]!]))).toBe('group_full');
    const asked = { userId: ann.id, conversationId: conversation.id };
    await one.rpc.call('members.remove', { ...asked, memberId: ids[1]! }, PATIENT);
    const added = await add(two, ann, conversation.id, [ids[0]!, ids[2]!]);
    expect(added.memberCount).toBe(LIMITS.groupMembers);
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await one.rpc.call('members.list', { ...asked, cursor, limit: 200 }, PATIENT);
      seen.push(...page.items.map((m) => m.userId));
      if (page.cursor === undefined) break;
      cursor = page.cursor;
    }
    expect(seen).toEqual([ann.id, ids[0]!, ...ids.slice(2)].sort());
    const bad = one.rpc.call('members.list', { ...asked, cursor: 'bm9uc2Vuc2U', limit: 9 });
    expect(await codeOf(bad)).toBe('invalid_request');
  });
});
