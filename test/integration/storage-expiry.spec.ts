import { createHash } from 'node:crypto';
import type { Message } from '@tidings/protocol/content';
import { digestText } from '@tidings/protocol/digest';
import type { MessageSent } from '@tidings/common/log-events/events';
import type { SyncRequest } from '@tidings/protocol/frames';
import { MemberCache } from '@tidings/common/redis/members';
import { uuidv7 } from 'uuidv7';
import { Database } from '../../apps/storage/src/database/database';
import { ExpiryRepository } from '../../apps/storage/src/expiry/expiry.repository';
import { searchedRedis } from '../support/leak-search';
import { eventually } from '../support/eventually';
import {
  changeOf,
  codeOf,
  messageOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type TestUser,
  synced,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };
const DAY_SECONDS = 24 * 3600;
const inAnHour = () => ({ expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
const digestOf = (messages: readonly Message[]): string =>
  createHash('sha256').update(digestText(messages)).digest('base64url');

describe('storage: expiry', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let database: Database;
  let expiry: ExpiryRepository;
  let ann: TestUser;
  let bob: TestUser;
  let chat: string;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    // Sweeps when the tests say so.
    one = await fixture.storage('storage-1', { EXPIRY_SWEEP_SECONDS: '3600' });
    const options = { url: fixture.servers.databaseUrl, name: 'test', connections: 2 };
    database = new Database(options, () => undefined);
    expiry = new ExpiryRepository(database);
  }, 240_000);

  afterAll(async () => {
    await database?.close();
    await fixture?.stop();
  });

  beforeEach(async () => {
    [ann, bob] = await Promise.all([newUser(one.rpc, 'ann'), newUser(one.rpc, 'bob')]);
    const input = { userId: ann.id, otherId: bob.id };
    chat = (await one.rpc.call('conversations.direct', input, PATIENT)).conversation.id;
  });

  const sync = async (user: TestUser, request: SyncRequest) => {
    const input = { userId: user.id, request, barrier: await fixture.barrier() };
    const bodies = await synced(one.rpc, input);
    return bodies.flatMap((body) => body.conversations)[0]!;
  };
  const history = async (user: TestUser): Promise<Message[]> => {
    const input = { userId: user.id, conversationId: chat, limit: 200 };
    const barrier = await fixture.barrier();
    return (await one.rpc.call('messages.history', { ...input, barrier }, PATIENT)).items;
  };
  const first = async ({ messageId }: { messageId: string }) => {
    const ids = [{ conversationId: chat, messageId }];
    return (await one.rpc.call('messages.first', { ids, waitMs: 0 }, PATIENT)).items[0]!.first;
  };
  const target = ({ messageId }: { messageId: string }, changeId = uuidv7()) =>
    one.rpc.call(
      'messages.get',
      { userId: ann.id, conversationId: chat, messageId, changeId },
      PATIENT,
    );
  /** Everything that a member can ask for, as he sees it. */
  const views = async (user: TestUser) => {
    const read = await history(user);
    const input = { userId: user.id, conversationId: chat };
    const conversation = await one.rpc.call('conversations.get', input, PATIENT);
    const device = await sync(user, {});
    const listed = { conversationId: chat, position: '0' };
    return {
      unread: conversation.unread,
      last: conversation.lastMessage?.messageId,
      digests: [conversation.digest, device.digest],
      synced: device.messages,
      unreadBySync: device.unread,
      resynced: (await sync(user, { conversations: [listed] })).messages,
      history: read,
    };
  };
  /** Waits until what the last sync counted is kept behind its answer: what expires must not show in it. */
  const countsKept = () =>
    eventually(async () => {
      const [row] = await fixture.rows<{ kept: boolean }>(
        'SELECT digest_position = last_position AS kept FROM conversations WHERE id = $1',
        [chat],
      );
      expect(row!.kept).toBe(true);
    });
  /** Their hour is over; also for what was counted while they lived and holds until then. */
  const expire = async (messages: readonly MessageSent[], age = '0 seconds') => {
    await fixture.rows(
      `UPDATE messages SET expires_at = now() - $3::interval
       WHERE conversation_id = $1 AND message_id = ANY ($2::uuid[])`,
      [chat, messages.map((m) => m.messageId), age],
    );
    await fixture.rows(
      `UPDATE conversations SET digest_until = now() - $2::interval
       WHERE id = $1 AND digest_until IS NOT NULL`,
      [chat, age],
    );
    await fixture.rows(
      `UPDATE members SET unread_until = now() - $2::interval
       WHERE conversation_id = $1 AND unread_until IS NOT NULL`,
      [chat, age],
    );
  };
  interface Row {
    content: string | null;
    extras: string | null;
    content_hash: string | null;
    version: string;
    sender_id: string;
  }
  const row = async ({ messageId }: { messageId: string }): Promise<Row | undefined> =>
    (
      await fixture.rows<Row>(
        `SELECT content, extras, content_hash, version, sender_id FROM messages
         WHERE conversation_id = $1 AND message_id = $2`,
        [chat, messageId],
      )
    )[0];

  it('what has expired is shown nowhere, whether it has been cleared yet or not', async () => {
    const kept = messageOf(chat, ann.id, 'for good');
    const passing = [1, 2].map((n) =>
      messageOf(chat, ann.id, `passing ${n}`, { ...inAnHour(), meta: { n } }),
    );
    const [, at] = await fixture.append([kept, ...passing]);
    const edit = changeOf(passing[0]!, at!, 'edited', inAnHour());
    const [version] = await fixture.appendChanges([edit]);
    const alive = await views(bob);
    expect([alive.unread, alive.unreadBySync, alive.last]).toEqual([3, 3, passing[1]!.messageId]);
    expect(alive.history.map((m) => m.messageId).slice(1)).toEqual(
      [kept, ...passing].map((m) => m.messageId),
    );
    expect((await target(passing[1]!)).message).toMatchObject({ meta: { n: 2 } });

    await countsKept();
    await expire(passing);
    const before = await views(bob);
    const tellsBefore = await Promise.all(passing.map(first));
    const targetsBefore = await Promise.all(
      [target(passing[1]!), target(passing[0]!, edit.changeId)].map(async (t) => (await t).message),
    );
    expect(await expiry.clear(100)).toBe(2);
    expect(await expiry.clear(100)).toBe(0);

    const shown = before.history.map((m) => m.messageId);
    expect(shown.slice(1)).toEqual([kept.messageId]);
    expect(before).toMatchObject({ unread: 1, unreadBySync: 1, last: kept.messageId });
    expect(before.digests).toEqual([digestOf(before.history), digestOf(before.history)]);
    for (const list of [before.synced, before.resynced]) {
      expect(list.map((m) => m.messageId)).toEqual(shown);
    }
    expect(targetsBefore).toEqual([null, null]);
    for (const tells of tellsBefore) {
      expect(tells).toMatchObject({ senderId: ann.id, contentHash: null });
    }
    expect(await views(bob)).toEqual(before);
    expect(await Promise.all(passing.map(first))).toEqual(tellsBefore);
    const after = await target(passing[0]!, edit.changeId);
    expect([after.message, after.change]).toMatchObject([null, { position: version, hash: null }]);
    const empty = { content: null, extras: null, content_hash: null, sender_id: ann.id };
    expect(await Promise.all(passing.map(row))).toEqual([
      { ...empty, version },
      { ...empty, version: '0' },
    ]);
    expect(await row(kept)).toMatchObject({ content: expect.stringContaining('for good') });
  });

  it('digests of a moment before an expiry are the same after it', async () => {
    const passing = Array.from({ length: 12 }, (_, n) =>
      messageOf(chat, ann.id, `${n}`, inAnHour()),
    );
    await fixture.append([messageOf(chat, ann.id, 'for good'), ...passing]);
    const held = await sync(bob, {});
    expect(held.messages).toHaveLength(10);
    await countsKept();
    await expire(passing, '2 minutes');
    const ask = (minutesAgo: number, digest: string) =>
      sync(bob, {
        asOf: new Date(Date.now() - minutesAgo * 60_000).toISOString(),
        conversations: [{ conversationId: chat, position: held.upTo, digest }],
      });
    const now = digestOf(await history(bob));
    for (const sweep of ['before', 'after']) {
      if (sweep === 'after') expect(await expiry.clear(100)).toBe(12);
      expect([sweep, (await ask(4, held.digest)).state]).toEqual([sweep, 'same']);
      expect([sweep, (await ask(0, held.digest)).state]).toEqual([sweep, 'reset']);
      expect([sweep, (await ask(0, now)).state]).toEqual([sweep, 'same']);
    }
  });

  it('what is applied too late never has content, nor has a change of it', async () => {
    const past = { expiresAt: new Date(Date.now() - 1_000).toISOString() };
    const late = messageOf(chat, ann.id, 'too late', { ...past, meta: { n: 1 } });
    const living = messageOf(chat, ann.id, 'in time', { ...inAnHour(), meta: { n: 2 } });
    const [at, livingAt] = await fixture.append([late, living]);
    const [version] = await fixture.appendChanges([changeOf(late, at!, 'edited', past)]);
    await history(bob);
    await expire([living]);
    const [second] = await fixture.appendChanges([changeOf(living, livingAt!, 'edited', past)]);
    const seen = await history(bob);
    expect(seen.map((m) => m.content.kind)).toEqual(['event']);
    const empty = { content: null, extras: null, content_hash: null };
    expect(await row(late)).toMatchObject({ ...empty, version });
    expect(await row(living)).toMatchObject({ ...empty, version: second });
    const hashes = await fixture.rows(
      'SELECT hash FROM changes WHERE conversation_id = $1 AND hash IS NOT NULL',
      [chat],
    );
    expect([hashes, await expiry.clear(100)]).toEqual([[], 0]);
    expect(await views(bob)).toMatchObject({ unread: 0, unreadBySync: 0 });
    // It is known: who sends it again is told its place.
    expect(await first(late)).toMatchObject({ position: at, senderId: ann.id, contentHash: null });
  });

  it('an upload goes with the last message that shows it, also with one that comes too late', async () => {
    const upload = async (): Promise<string> => {
      const mediaId = uuidv7();
      const facts = { kind: 'file' as const, type: 'text/plain', size: 3, etag: 'e' };
      await one.rpc.call(
        'media.create',
        { ...facts, mediaId, conversationId: chat, ownerId: ann.id },
        PATIENT,
      );
      return mediaId;
    };
    const show = (mediaId: string, expiresAt: string) =>
      messageOf(chat, ann.id, '', {
        content: { kind: 'file', mediaId, name: 'n', type: 'text/plain', size: 3 },
        expiresAt,
      });
    const [shared, late] = await Promise.all([upload(), upload()]);
    const hour = inAnHour().expiresAt;
    const [brief, longer] = [show(shared, hour), show(shared, hour)];
    await fixture.append([brief, longer, show(late, new Date(Date.now() - 1_000).toISOString())]);
    await history(bob);
    const read = (mediaId: string) =>
      one.rpc.call('media.get', { userId: bob.id, mediaId }, PATIENT);
    const due = async (mediaId: string) =>
      (
        await fixture.rows<{ due: boolean | null }>(
          'SELECT keep_until <= now() AS due FROM media WHERE id = $1',
          [mediaId],
        )
      )[0]!.due;
    expect([await due(shared), await due(late)]).toEqual([null, true]);
    expect((await read(shared)).expiresAt).toBe(hour);
    expect(await codeOf(read(late))).toBe('media_not_found');

    await expire([brief]);
    expect([await expiry.clear(100), await due(shared)]).toEqual([1, null]);
    await expire([longer]);
    expect(await codeOf(read(shared))).toBe('media_not_found');
    expect([await expiry.clear(100), await due(shared)]).toEqual([1, true]);
    const uses = 'SELECT 1 FROM media_uses WHERE conversation_id = $1';
    expect(await fixture.rows(uses, [chat])).toEqual([]);
  });

  it('an upload that a lasting message shows has no end', async () => {
    const mediaId = uuidv7();
    const facts = { kind: 'file' as const, type: 'text/plain', size: 3 };
    const media = { ...facts, mediaId, etag: 'e', conversationId: chat, ownerId: ann.id };
    await one.rpc.call('media.create', media, PATIENT);
    const content = { kind: 'file', mediaId, name: 'n', type: 'text/plain', size: 3 } as const;
    await fixture.append([
      messageOf(chat, ann.id, '', { content, ...inAnHour() }),
      messageOf(chat, ann.id, '', { content }),
    ]);
    await history(bob);
    const read = one.rpc.call('media.get', { userId: bob.id, mediaId }, PATIENT);
    expect((await read).expiresAt).toBeUndefined();
  });

  it('tombstones go after 90 days, with the changes of their messages', async () => {
    const [old, young, deleted] = ['old', 'young', 'deleted'].map((text) =>
      messageOf(chat, ann.id, text, inAnHour()),
    ) as [MessageSent, MessageSent, MessageSent];
    const [oldAt, , deletedAt] = await fixture.append([old, young, deleted]);
    await fixture.appendChanges([
      changeOf(old, oldAt!, 'edited'),
      changeOf(deleted, deletedAt!, null),
    ]);
    await history(bob);
    await expire([old, deleted], '90 days 1 minute');
    await expire([young], '89 days 23 hours');
    await expiry.clear(100);
    await expiry.removeTombstones(90 * DAY_SECONDS, 100);
    expect(await Promise.all([old, young, deleted].map(first))).toMatchObject([
      null,
      { senderId: ann.id, contentHash: null },
      null,
    ]);
    const changes = 'SELECT 1 FROM changes WHERE conversation_id = $1';
    expect(await fixture.rows(changes, [chat])).toEqual([]);
    // Its id may begin anew.
    await fixture.append([messageOf(chat, bob.id, 'anew', { messageId: old.messageId })]);
    expect((await history(ann)).at(-1)).toMatchObject({
      messageId: old.messageId,
      senderId: bob.id,
    });
  });

  it('reads no tombstones where it looks for the newest messages', async () => {
    const passing = Array.from({ length: 500 }, (_, n) =>
      messageOf(chat, ann.id, `${n}`, inAnHour()),
    );
    await fixture.append([messageOf(chat, ann.id, 'for good'), ...passing]);
    await history(bob);
    await expire(passing);
    await expiry.clear(1_000);
    await fixture.rows('VACUUM ANALYZE messages');
    // So few rows are quickest read one and all.
    await fixture.rows('SET enable_seqscan = off');
    await fixture.rows('SET enable_bitmapscan = off');
    const plan = await fixture.rows<{ 'QUERY PLAN': string }>(
      `EXPLAIN (ANALYZE, TIMING OFF) SELECT position FROM messages x
       WHERE x.conversation_id = '${chat}' AND x.position > 0
         AND (x.content IS NOT NULL OR x.deleted) AND (x.expires_at IS NULL OR x.expires_at > now())
       ORDER BY position DESC LIMIT 10`,
    );
    const text = plan.map((line) => line['QUERY PLAN']).join('\n');
    expect(text).toMatch(/Index Scan .*position/);
    expect(text).not.toContain('Rows Removed by Filter');
  });

  it('a new lifetime is in Redis before the change is answered', async () => {
    const redis = await searchedRedis(fixture.servers.redisUrl);
    const cache = new MemberCache(redis);
    try {
      for (const messageTtlSeconds of [10, 20, null]) {
        const input = { userId: bob.id, conversationId: chat, messageTtlSeconds };
        const { position } = await one.rpc.call('conversations.change', input, PATIENT);
        const [copy] = await cache.get([chat]);
        expect([copy?.messageTtlSeconds ?? null, position]).toEqual([
          messageTtlSeconds,
          expect.any(String),
        ]);
      }
      const events = (await history(ann)).map((m) => m.content);
      expect(events.slice(1)).toMatchObject(
        [10, 20, null].map((messageTtlSeconds) => ({ event: { kind: 'ttl', messageTtlSeconds } })),
      );
    } finally {
      redis.disconnect();
    }
  });

  it('is the duty of one of two instances, and counted once', async () => {
    const often = { EXPIRY_SWEEP_SECONDS: '0.1' };
    const both = await Promise.all(
      ['storage-2', 'storage-3'].map((id) => fixture.storage(id, often)),
    );
    await one.stop();
    [one] = both as [RunningStorage];
    const passing = Array.from({ length: 1_100 }, (_, n) =>
      messageOf(chat, ann.id, `${n}`, inAnHour()),
    );
    await fixture.append(passing);
    await history(bob);
    await expire(passing);
    const content = 'SELECT 1 FROM messages WHERE conversation_id = $1 AND content IS NOT NULL';
    await eventually(
      async () => expect(await fixture.rows(content, [chat])).toHaveLength(1),
      30_000,
    );
    const counted = async ({ metrics }: RunningStorage) => {
      const metric = await metrics.registry.getSingleMetric('tidings_storage_expired_total')!.get();
      return metric.values[0]!.value;
    };
    await eventually(async () => {
      const [a, b] = await Promise.all(both.map(counted));
      expect(a! + b!).toBe(1_100);
    });
  });
});
