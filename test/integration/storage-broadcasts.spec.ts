import { Client } from 'pg';
import { digestOf } from '../../clients/sdk/testing/model-sync';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import { uuidv7 } from 'uuidv7';
import { raiseMarks } from '../../apps/storage/src/receipts/receipts.repository';
import { eventually } from '../support/eventually';
import {
  codeOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  synced,
  type TestUser,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };
/** The lock under which one instance at a time appends what is for everybody. */
const LOCK = `hashtextextended('${EVERYONE_ID}', 7301)`;

describe('storage: broadcasts, over two instances', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([
      fixture.storage('storage-1', { BROADCASTS_PER_HOUR: '0' }),
      fixture.storage('storage-2', { BROADCASTS_PER_HOUR: '1' }),
    ]);
    [ann, bob] = [await newUser(one.rpc, 'ann'), await newUser(one.rpc, 'bob')];
    await fixture.rows(`INSERT INTO user_roles (user_id, role) VALUES ($1, 'broadcaster')`, [
      ann.id,
    ]);
  }, 240_000);
  afterAll(() => fixture?.stop());

  const by = (user: TestUser) => ({ userId: user.id, deviceId: uuidv7(), origin: '192.0.2.1' });
  const create = (
    text: string,
    {
      messageId = uuidv7(),
      user = ann,
      storage = one,
      content = { kind: 'text', text } as const,
    } = {},
  ) => storage.rpc.call('broadcasts.create', { by: by(user), messageId, content }, PATIENT);
  const get = (messageId: string, user = ann) =>
    two.rpc.call('broadcasts.get', { by: by(user), messageId });
  const remove = (messageId: string, user = ann) =>
    one.rpc.call('broadcasts.delete', { by: by(user), messageId }, PATIENT);
  const sync = async (user: TestUser, request: object = {}) => {
    const input = { userId: user.id, request, barrier: await fixture.barrier() };
    const bodies = await synced(two.rpc, input);
    const { since, complete } = bodies.at(-1)!;
    return { since, complete, conversations: bodies.flatMap((body) => body.conversations) };
  };
  const conversationOf = async (user: TestUser) =>
    (await one.rpc.call('conversations.list', { userId: user.id, limit: 100 })).items.find(
      ({ id }) => id === EVERYONE_ID,
    );
  const texts = async (user: TestUser): Promise<unknown[]> => {
    const input = { userId: user.id, conversationId: EVERYONE_ID, limit: 100 };
    const barrier = await fixture.barrier();
    const { items } = await one.rpc.call('messages.history', { ...input, barrier }, PATIENT);
    return items.map(({ content }) => (content as { text?: string }).text ?? content.kind);
  };
  const positionOf = async (messageId: string): Promise<string> => {
    const rows = await fixture.rows<{ position: string }>(
      'SELECT position FROM broadcasts WHERE message_id = $1',
      [messageId],
    );
    return rows[0]!.position;
  };
  const mark = (user: TestUser, delivered: string, read = '0') => {
    const sql = {
      rows: (statement: { text: string }, values?: unknown[]) =>
        fixture.rows<never>(statement.text, values),
    };
    const at = Date.now();
    return raiseMarks(sql, [{ conversationId: EVERYONE_ID, userId: user.id, delivered, read, at }]);
  };
  /** Runs `work` while no instance can append what is for everybody. */
  const whileLocked = async (work: () => Promise<void>): Promise<void> => {
    const blocker = new Client({ connectionString: fixture.servers.databaseUrl });
    await blocker.connect();
    try {
      await blocker.query(`SELECT pg_advisory_lock(${LOCK})`);
      await work();
    } finally {
      await blocker.end();
    }
  };
  const applied = async () => {
    const ends = await fixture.barrier();
    await eventually(async () => {
      const rows = await fixture.rows<{ next: string }>(
        `SELECT next FROM log_progress WHERE topic = 'chat.messages.v1' ORDER BY partition`,
      );
      expect(rows.map(({ next }) => next)).toEqual(ends);
    });
  };

  it('nobody has the conversation before there is something in it, and a first sync waits for that', async () => {
    expect(await conversationOf(bob)).toBeUndefined();
    expect((await sync(bob)).conversations).toEqual([]);
    const blocker = new Client({ connectionString: fixture.servers.databaseUrl });
    await blocker.connect();
    await blocker.query('BEGIN');
    await blocker.query('SELECT next FROM log_progress FOR UPDATE');
    try {
      expect(await create('first')).toMatchObject({ state: 'sent', pending: 2 });
      const pending = sync(bob);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await blocker.query('COMMIT');
      const answer = await pending;
      expect(answer).toMatchObject({
        complete: true,
        conversations: [{ conversationId: EVERYONE_ID, state: 'new', more: false, unread: 1 }],
      });
    } finally {
      await blocker.end();
    }
  });

  it('is for broadcasters alone, once per id, so many an hour, and noted', async () => {
    const messageId = uuidv7();
    expect(await codeOf(create('no', { user: bob }))).toBe('forbidden');
    expect(await codeOf(get(messageId))).toBe('not_found');
    expect(await codeOf(get(messageId, bob))).toBe('forbidden');
    expect(await codeOf(remove(messageId, bob))).toBe('forbidden');
    expect(await codeOf(remove(messageId))).toBe('not_found');
    await expect(create('too many', { storage: two })).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterMs: expect.any(Number),
    });
    const all = await Promise.all(
      [one, two, one].map((storage, i) =>
        create('once', { messageId, storage }).catch((error: { code: string }) => {
          // of the second instance only when it comes first
          expect([i, error.code]).toEqual([1, 'rate_limited']);
        }),
      ),
    );
    expect(all.filter(Boolean).every((shown) => shown!.state === 'sent')).toBe(true);
    expect(await create('once', { messageId, storage: two })).toMatchObject({ state: 'sent' });
    expect(await codeOf(create('another', { messageId }))).toBe('message_id_conflict');
    expect(await texts(bob)).toEqual(['first', 'once']);
    const rows = await fixture.rows(
      `SELECT actor, origin, action, subject, detail FROM audit WHERE detail ->> 'messageId' = $1`,
      [messageId],
    );
    expect(rows).toEqual([
      {
        actor: ann.id,
        origin: '192.0.2.1',
        action: 'broadcast',
        subject: null,
        detail: { messageId },
      },
    ]);
  });

  it('is an interval like others: in list, history, sync, digest and unread, not for who came later', async () => {
    await create('third');
    const carl = await newUser(two.rpc, 'carl');
    expect(await conversationOf(carl)).toBeUndefined();
    expect(await codeOf(texts(carl))).toBe('no_such_conversation');
    expect((await sync(carl)).conversations).toEqual([]);
    const { since } = await sync(carl);
    const { since: bobs } = await sync(bob);

    const messageId = uuidv7();
    await create('fourth', { messageId });
    expect(await texts(carl)).toEqual(['fourth']);
    expect(await texts(bob)).toEqual(['first', 'once', 'third', 'fourth']);
    const [carls] = (await sync(carl, { since })).conversations;
    expect(carls).toMatchObject({
      state: 'new',
      more: false,
      unread: 1,
      messages: [{ messageId }],
    });
    const [behind] = (await sync(bob, { since: bobs })).conversations;
    expect(behind).toMatchObject({ state: 'behind', unread: 4, messages: [{ messageId }] });
    expect(behind!.receipts).toEqual([{ userId: bob.id, delivered: '0', read: '0' }]);

    const shown = await conversationOf(carl);
    expect(shown).toMatchObject({
      kind: 'everyone',
      title: 'Announcements',
      memberCount: 0,
      unread: 1,
      lastMessage: { messageId },
      lastPosition: await positionOf(messageId),
    });
    expect(shown).not.toHaveProperty('members');
    expect(shown!.digest).toBe(carls!.digest);
    const known = { conversationId: EVERYONE_ID, position: carls!.upTo, digest: carls!.digest };
    expect((await sync(carl, { conversations: [known] })).conversations).toMatchObject([
      { state: 'same', messages: [] },
    ]);
    const wrong = { ...known, digest: shown!.digest.replace(/./, (c) => (c === 'x' ? 'y' : 'x')) };
    expect((await sync(carl, { conversations: [wrong] })).conversations).toMatchObject([
      { state: 'reset', messages: [{ messageId }] },
    ]);
    const first = (await sync(bob)).conversations[0]!;
    expect(first.digest).toBe(digestOf(first.messages));
    expect((await conversationOf(bob))!.digest).toBe(first.digest);
    // own ones are never unread
    expect((await conversationOf(ann))!.unread).toBe(0);
    const members = { userId: bob.id, conversationId: EVERYONE_ID, limit: 100 };
    expect((await one.rpc.call('members.list', members).catch(() => null))?.items ?? []).toEqual(
      [],
    );
  });

  it('keeps marks of who has received, shows them to nobody else, and counts by them', async () => {
    const messageId = uuidv7();
    const [dora, off] = [await newUser(one.rpc, 'dora'), await newUser(one.rpc, 'off')];
    const before = await create('counted', { messageId });
    const position = await positionOf(messageId);
    await applied();
    const late = await newUser(one.rpc, 'late');
    await fixture.rows('UPDATE users SET disabled_at = now() WHERE id = $1', [off.id]);
    const audience = before.audience - 1;
    expect(await get(messageId)).toEqual({
      messageId,
      state: 'sent',
      audience,
      delivered: 0,
      pending: audience,
    });
    expect(await mark(dora, position)).toBe(1);
    expect(await mark(dora, position)).toBe(0);
    expect(await mark(dora, '1')).toBe(0);
    expect(await mark(late, position)).toBe(0);
    // of nobody, or of what lies before their time: nothing
    expect(await mark({ ...dora, id: uuidv7() }, position)).toBe(0);
    expect(await get(messageId)).toMatchObject({ delivered: 1, pending: audience - 1 });
    const view = { conversationId: EVERYONE_ID, userId: bob.id, delivered: '0', read: position };
    const { items } = await one.rpc.call('receipts.view', { items: [view] });
    expect(items).toEqual([
      {
        others: [],
        delivered: position,
        read: position,
        deliveredBefore: '0',
        unread: 0,
        upTo: position,
      },
    ]);
    expect(await get(messageId)).toMatchObject({ delivered: 2, pending: audience - 2 });
    expect((await conversationOf(bob))!.unread).toBe(0);
    expect((await conversationOf(dora))!.unread).toBe(1);
    const listed = { userId: bob.id, conversationId: EVERYONE_ID, limit: 100 };
    expect((await one.rpc.call('receipts.list', listed)).items).toEqual([
      { userId: bob.id, delivered: position, read: position },
    ]);
    expect(await fixture.rows('SELECT user_id FROM everyone_marks')).toHaveLength(2);
    expect(await fixture.rows('SELECT 1 FROM members')).toEqual([]);
    // what was counted is kept beside the marks, and holds until the next one
    await sync(dora);
    await eventually(async () =>
      expect(
        await fixture.rows('SELECT unread FROM everyone_marks WHERE user_id = $1', [dora.id]),
      ).toEqual([{ unread: 1 }]),
    );
    await create('one more');
    await applied();
    expect((await sync(dora)).conversations).toMatchObject([{ unread: 2 }]);
    await fixture.rows('UPDATE users SET disabled_at = NULL WHERE id = $1', [off.id]);
  });

  it('is deleted for everybody, and before it is in the log nobody ever gets it', async () => {
    const [gone, never] = [uuidv7(), uuidv7()];
    await create('to be deleted', { messageId: gone });
    await applied();
    const { since } = await sync(bob);
    expect(await remove(gone)).toEqual({ done: true });
    expect(await remove(gone)).toEqual({ done: true });
    expect(await texts(bob)).toEqual([...(await texts(bob)).slice(0, -1), 'deleted']);
    expect((await sync(bob, { since })).conversations).toMatchObject([
      { messages: [{ messageId: gone, deleted: true }] },
    ]);
    expect(await get(gone)).toMatchObject({ state: 'deleted' });
    expect(await create('to be deleted', { messageId: gone })).toMatchObject({ state: 'deleted' });

    await whileLocked(async () => {
      expect(await create('never seen', { messageId: never })).toMatchObject({ state: 'queued' });
      expect(await remove(never)).toEqual({ done: true });
    });
    await create('behind it');
    expect(await texts(bob)).not.toContain('never seen');
    expect(await get(never)).toMatchObject({ state: 'deleted', audience: 0, pending: 0 });
    expect(await fixture.rows('SELECT content FROM broadcasts WHERE content IS NOT NULL')).toEqual(
      [],
    );
    const rows = await fixture.rows<{ action: string }>(
      `SELECT action FROM audit WHERE detail ->> 'messageId' = $1 ORDER BY id`,
      [gone],
    );
    expect(rows.map(({ action }) => action)).toEqual(['broadcast', 'broadcast_delete']);
  });

  it('is taken over from an instance that died before or behind its append, and appended once', async () => {
    const [before, behind, deleted] = [uuidv7(), uuidv7(), uuidv7()];
    await create('was appended', { messageId: behind });
    await create('its deletion was not', { messageId: deleted });
    await applied();
    const ends = await fixture.barrier();
    await whileLocked(async () => {
      expect(await create('accepted', { messageId: before })).toMatchObject({ state: 'queued' });
      // as it is left by who dies between the append and the word of it
      await fixture.rows(
        `UPDATE broadcasts SET position = NULL, content = '{"kind":"text","text":"was appended"}',
           due_at = now() WHERE message_id = $1`,
        [behind],
      );
      await fixture.rows(
        `UPDATE broadcasts SET deleted_at = now(), deleted_by = sender_id, deleted_on = device_id,
           change_id = $2, due_at = now() WHERE message_id = $1`,
        [deleted, uuidv7()],
      );
      await one.stop();
    });
    await eventually(async () => {
      expect(await get(before)).toMatchObject({ state: 'sent' });
      expect(await get(behind)).toMatchObject({ state: 'sent' });
    }, 60_000);
    await applied();
    const rows = await fixture.rows<{ id: string; deleted: boolean }>(
      `SELECT message_id AS id, deleted FROM messages WHERE message_id = ANY ($1)`,
      [[before, behind, deleted]],
    );
    expect(new Map(rows.map((row) => [row.id, row.deleted]))).toEqual(
      new Map([
        [before, false],
        [behind, false],
        [deleted, true],
      ]),
    );
    const added = (await fixture.barrier()).map((end, p) => Number(end) - Number(ends[p]));
    expect(added.reduce((sum, n) => sum + n, 0)).toBe(2);
  });
});
