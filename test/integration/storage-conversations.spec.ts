import { Redis } from 'ioredis';
import { conversation as conversationSchema } from '@tidings/protocol/http';
import { KEYS } from '@tidings/common/redis/keys';
import { uuidv7 } from 'uuidv7';
import { eventually } from '../support/eventually';
import {
  codeOf,
  messageOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type TestUser,
} from './storage-support';

/** The machine is shared: an answer may take longer than a client would wait. */
const PATIENT = { timeoutMs: 20_000 };

describe('storage: contacts and conversations', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let ann: TestUser;
  let bob: TestUser;
  let eve: TestUser;

  const direct = (storage: RunningStorage, userId: string, otherId: string) =>
    storage.rpc.call('conversations.direct', { userId, otherId }, PATIENT);
  const list = (userId: string, limit: number, cursor?: string) =>
    one.rpc.call('conversations.list', { userId, limit, cursor }, PATIENT);

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
    ann = await newUser(one.rpc, 'ann');
    bob = await newUser(one.rpc, 'bob');
    eve = await newUser(one.rpc, 'eve');
  }, 240_000);

  afterAll(() => fixture?.stop());

  describe('people', () => {
    it('are found by the beginning of their names, page by page', async () => {
      const names = ['Finn-A', 'finn-b', 'FINN-C'];
      for (const name of names) await newUser(one.rpc, name);
      const found: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await one.rpc.call(
          'users.search',
          { userId: ann.id, query: 'fInN-', cursor, limit: 2 },
          PATIENT,
        );
        found.push(...page.items.map((user) => user.firstName));
        if (page.cursor === undefined) break;
        cursor = page.cursor;
      }
      expect(found).toEqual(names);
    });

    it.each(['%%', '__', "' OR 1=1 --", 'nobody-has-this', 'a\u0000b'])(
      'not by %j',
      async (query) => {
        const page = await one.rpc.call(
          'users.search',
          { userId: ann.id, query, limit: 10 },
          PATIENT,
        );
        expect(page.items).toEqual([]);
      },
    );

    it.each([undefined, '', ' ', 'a', ' a ', 'ａ', '😀', 'e\u0301', ' \uff76\uff9e '])(
      'not by less than two characters as names are compared: %j',
      async (query) => {
        const search = (listing?: boolean) =>
          one.rpc.call('users.search', { userId: ann.id, query, listing, limit: 10 }, PATIENT);
        await expect(search()).rejects.toMatchObject({ code: 'invalid_request' });
        // The operator may have it otherwise.
        await expect(search(true)).resolves.toHaveProperty('items');
      },
    );

    it('not beyond their beginning, whatever the cursor says', async () => {
      await newUser(one.rpc, 'aaa-first');
      const first = await one.rpc.call(
        'users.search',
        { userId: ann.id, listing: true, limit: 1 },
        PATIENT,
      );
      expect(first.cursor).toBeDefined();
      const page = await one.rpc.call(
        'users.search',
        { userId: ann.id, query: 'an', cursor: first.cursor, limit: 100 },
        PATIENT,
      );
      const names = page.items.map((user) => user.username.toLowerCase().slice(0, 2));
      expect(new Set(names)).toEqual(new Set(['an']));
    });

    it('are added, seen by those who were added, and removed', async () => {
      const put = (userId: string, contactId: string) =>
        one.rpc.call('contacts.put', { userId, contactId }, PATIENT);
      const state = async (userId: string) => {
        const { items } = await two.rpc.call('contacts.list', { userId, limit: 10 }, PATIENT);
        const incoming = await two.rpc.call('contacts.incoming', { userId, limit: 10 }, PATIENT);
        return [items.map((c) => [c.user.id, c.mutual]), incoming.items.map((u) => u.id)];
      };
      expect(await put(ann.id, bob.id)).toMatchObject({ user: { id: bob.id }, mutual: false });
      expect(await state(ann.id)).toEqual([[[bob.id, false]], []]);
      expect(await state(bob.id)).toEqual([[], [ann.id]]);
      expect(await put(bob.id, ann.id)).toMatchObject({ mutual: true });
      expect(await put(bob.id, ann.id)).toMatchObject({ mutual: true });
      expect(await state(bob.id)).toEqual([[[ann.id, true]], []]);
      await one.rpc.call('contacts.delete', { userId: ann.id, contactId: bob.id }, PATIENT);
      expect(await state(bob.id)).toEqual([[[ann.id, false]], []]);
      expect(await codeOf(put(ann.id, ann.id))).toBe('invalid_request');
      expect(await codeOf(put(ann.id, uuidv7()))).toBe('not_found');
    });
  });

  describe('direct conversations', () => {
    it('are made once, whoever asks, and begin with their creation', async () => {
      const made = await direct(one, ann.id, bob.id);
      const again = await direct(two, bob.id, ann.id);
      expect([made.created, again.created]).toEqual([true, false]);
      expect(conversationSchema.parse(made.conversation)).toEqual(made.conversation);
      expect(again.conversation).toMatchObject({
        id: made.conversation.id,
        kind: 'direct',
        memberCount: 2,
        unread: 0,
        visibleFrom: '0',
        lastMessage: { senderId: ann.id, content: { kind: 'event' } },
      });
      expect(again.routing.members.map((m) => [m.from, m.until])).toEqual([
        ['0', null],
        ['0', null],
      ]);
    });

    it('50 times at once, in both directions, on two instances: one, with one creation', async () => {
      const [x, y] = [await newUser(one.rpc), await newUser(one.rpc)];
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          i % 3 ? direct(i % 2 ? one : two, x.id, y.id) : direct(i % 2 ? two : one, y.id, x.id),
        ),
      );
      expect(new Set(answers.map((a) => a.conversation.id)).size).toBe(1);
      expect(answers.filter((a) => a.created)).toHaveLength(1);
      const id = answers[0]!.conversation.id;
      await eventually(async () => {
        const entries = await fixture.rows('SELECT 1 FROM messages WHERE conversation_id = $1', [
          id,
        ]);
        expect(entries).toHaveLength(1);
      });
      const open = await fixture.rows('SELECT 1 FROM outbox WHERE conversation_id = $1', [id]);
      expect(open).toEqual([]);
    });

    it('are told to Redis once they are in the log', async () => {
      const { conversation, routing } = await direct(one, ann.id, eve.id);
      const redis = new Redis(fixture.servers.redisUrl);
      try {
        await eventually(async () => {
          const text = await redis.get(KEYS.members(conversation.id));
          expect(JSON.parse(text!.slice(2))).toMatchObject({ members: routing.members });
        });
      } finally {
        redis.disconnect();
      }
    });

    it.each([
      ['oneself', () => [ann.id, ann.id], 'invalid_request'],
      ['nobody', () => [ann.id, uuidv7()], 'not_found'],
    ])('with %s are refused', async (_what, ids, code) => {
      const [userId, otherId] = ids() as [string, string];
      expect(await codeOf(direct(one, userId, otherId))).toBe(code);
    });
  });

  describe('reading', () => {
    it('is for members only, and looks the same for strangers as for what does not exist', async () => {
      const { conversation } = await direct(one, ann.id, bob.id);
      for (const conversationId of [conversation.id, 'A'.repeat(43)]) {
        const asked = { userId: eve.id, conversationId };
        expect(await codeOf(one.rpc.call('conversations.get', asked))).toBe('no_such_conversation');
        const history = one.rpc.call('messages.history', { ...asked, limit: 10 });
        expect(await codeOf(history)).toBe('no_such_conversation');
      }
      expect((await list(eve.id, 50)).items.map((c) => c.id)).not.toContain(conversation.id);
    });

    it('lists by the time of the last entry, newest first, each once', async () => {
      const reader = await newUser(one.rpc, 'reader');
      const ids: string[] = [];
      for (let i = 0; i < 7; i++) {
        const other = await newUser(one.rpc);
        ids.push((await direct(one, reader.id, other.id)).conversation.id);
      }
      const at = (i: number) => new Date(Date.now() + 1_000 * (i + 1)).toISOString();
      const order = [3, 0, 6, 2, 5, 1, 4].map((i) => ids[i]!);
      await fixture.append(order.map((id, i) => messageOf(id, eve.id, 'x', { sentAt: at(i) })));
      await eventually(async () => {
        const { items } = await list(reader.id, 50);
        expect(items.map((c) => c.unread)).toEqual(items.map(() => 1));
      });
      const seen: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await list(reader.id, 3, cursor);
        seen.push(...page.items.map((c) => c.id));
        if (page.cursor === undefined) break;
        cursor = page.cursor;
      }
      expect(seen).toEqual([...order].reverse());
      expect(await codeOf(list(reader.id, 3, 'bm9uc2Vuc2U'))).toBe('invalid_request');
    });

    it('pages a history in both directions without a gap or a double', async () => {
      const { conversation } = await direct(one, ann.id, bob.id);
      const conversationId = conversation.id;
      const messages = Array.from({ length: 45 }, (_, i) =>
        messageOf(conversationId, bob.id, `m${i}`),
      );
      const sent = await fixture.append(messages);
      const barrier = await fixture.barrier();
      const page = (range: object) =>
        two.rpc.call(
          'messages.history',
          { userId: ann.id, conversationId, limit: 20, ...range },
          PATIENT,
        );
      const newest = await page({ barrier });
      expect(newest.delayed).toBeUndefined();
      expect(newest.items.map((m) => m.position)).toEqual(sent.slice(-20));
      const back = [newest];
      while (back[0]!.more) back.unshift(await page({ before: back[0]!.items[0]!.position }));
      const all = back.flatMap((p) => p.items);
      const own = all.filter((m) => sent.includes(m.position)).map((m) => m.position);
      expect(own).toEqual(sent);
      const forth = [await page({ after: '0' })];
      while (forth.at(-1)!.more) {
        forth.push(await page({ after: forth.at(-1)!.items.at(-1)!.position }));
      }
      expect(forth.flatMap((p) => p.items)).toEqual(all);
      expect((await page({ after: sent.at(-1) })).items).toEqual([]);
    });

    it('answers what it has, delayed, when the barrier is not reached', async () => {
      const { conversation } = await direct(one, ann.id, bob.id);
      const barrier = (await fixture.barrier()).map((offset) => String(BigInt(offset!) + 1_000n));
      const asked = { userId: ann.id, conversationId: conversation.id, limit: 5, barrier };
      const page = await one.rpc.call('messages.history', asked, PATIENT);
      expect([page.delayed, page.items.length]).toEqual([true, 5]);
    });
  });

  it('tells where entries lie, below a bound, in one snapshot with the progress', async () => {
    const { conversation } = await direct(one, ann.id, bob.id);
    const conversationId = conversation.id;
    const [a, b] = await fixture.append(
      [1, 2].map((n) => messageOf(conversationId, bob.id, `${n}`)),
    );
    const routing = async (below?: string) => {
      const wanted = [{ conversationId, below }, { conversationId: 'A'.repeat(43) }];
      return two.rpc.call('conversations.routing', { conversations: wanted }, PATIENT);
    };
    await eventually(async () => expect((await routing()).items[0]?.lastPosition).toBe(b));
    const { items, applied } = await routing(b);
    expect(items.map((item) => item.lastPosition)).toEqual([a]);
    expect((await routing('1')).items[0]?.lastPosition).toBe('0');
    expect((await routing('9'.repeat(18))).items[0]?.lastPosition).toBe(b);
    const state = await one.rpc.call('log.state', {}, PATIENT);
    expect(state).toMatchObject({ epoch: 1, bases: applied.map(() => '1') });
    expect(state.applied).toEqual(applied);
  });

  it('a creation that does not reach the log in time is brought there later', async () => {
    const [x, y] = [await newUser(one.rpc), await newUser(one.rpc)];
    await fixture.servers.kafka.kill();
    expect(await codeOf(direct(one, x.id, y.id))).toBe('unavailable');
    expect((await list(x.id, 10)).items).toEqual([]);
    await fixture.servers.kafka.restart();
    await eventually(async () => expect((await list(y.id, 10)).items).toHaveLength(1), 60_000);
    const { conversation, created } = await eventually(() => direct(two, y.id, x.id), 30_000);
    expect(created).toBe(false);
    const values = [conversation.id];
    await eventually(async () => {
      const entries = await fixture.rows(
        'SELECT 1 FROM messages WHERE conversation_id = $1',
        values,
      );
      const open = await fixture.rows('SELECT 1 FROM outbox WHERE conversation_id = $1', values);
      expect([entries.length, open.length]).toEqual([1, 0]);
    });
  });
});
