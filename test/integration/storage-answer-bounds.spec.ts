import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Content, Message } from '@tidings/protocol/content';
import { SYNC_ANSWER_BYTES } from '@tidings/protocol/bounds';
import type { Extras } from '@tidings/protocol/extras';
import type { SyncRequest } from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import { uuidv7 } from 'uuidv7';
import {
  newUser,
  PARTITIONS,
  type RunningStorage,
  StorageFixture,
  synced,
  type TestUser,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 12);
const SEED = process.env['PROPERTY_SEED'];
const REPLAY = SEED ? { seed: Number(SEED), path: process.env['PROPERTY_PATH'] ?? '' } : {};
/** Names of the largest size: a character of a name is one of UTF-16, and takes three bytes. */
const NAME = '漢'.repeat(LIMITS.nameChars);
const PEOPLE = 240;

/** What the client gets: the gateway hands on what storage answers, as JSON. */
const bytesOf = (answer: unknown): number => Buffer.byteLength(JSON.stringify(answer));

/** Texts of the largest size, by what JSON makes of their characters. */
const heavy = fc
  .constantFrom('\u0001', '"', '\\', '漢', '🦉', 'a', '\u2028')
  .map((one): Content => ({
    kind: 'text',
    text: one.repeat(Math.floor(LIMITS.textBytes / Buffer.byteLength(one))),
  }));
const small = fc.string({ maxLength: 40 }).map((text): Content => ({ kind: 'text', text }));
const custom = fc.constantFrom('"', '漢', '\u0001').map((one): Content => {
  const most = Math.floor((LIMITS.customBytes - 2) / (Buffer.byteLength(JSON.stringify(one)) - 2));
  return { kind: 'custom', data: one.repeat(most) };
});
const extras = fc.constantFrom<Extras | null>(null, {
  replyTo: uuidv7(),
  mentions: Array.from({ length: LIMITS.mentions }, () => uuidv7()),
  meta: '"'.repeat((LIMITS.metaBytes - 2) / 2),
});
const entry = fc.record({
  content: fc.oneof(
    { arbitrary: heavy, weight: 3 },
    { arbitrary: custom, weight: 1 },
    { arbitrary: small, weight: 3 },
  ),
  extras,
});
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;
/** JSON makes six bytes of each of its characters. */
const HEAVIEST: Content = { kind: 'text', text: '\u0001'.repeat(LIMITS.textBytes) };

describe('storage: every page is bounded in bytes', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let ann: TestUser;
  let people: string[];
  let group: string;

  /** Writes a history as the batches would, without the log. */
  const write = async (conversationId: string, entries: readonly Entry[]): Promise<string[]> => {
    const first = 1_000_000;
    const positions = entries.map((_, i) => String(first + i));
    await fixture.rows('DELETE FROM messages WHERE conversation_id = $1', [conversationId]);
    for (let i = 0; i < entries.length; i += 25) {
      const part = entries.slice(i, i + 25);
      await fixture.rows(
        `INSERT INTO messages (conversation_id, message_id, position, sender_id, sent_at, expires_at,
            kind, content, extras)
          SELECT $1, w.id, w.position, $2, now(), now() + interval '1 day', w.kind, w.content, w.extras
          FROM unnest($3::uuid[], $4::int8[], $5::text[], $6::text[], $7::text[])
            AS w (id, position, kind, content, extras)`,
        [
          conversationId,
          ann.id,
          part.map(() => uuidv7()),
          positions.slice(i, i + 25),
          part.map((e) => e.content.kind),
          part.map((e) => JSON.stringify(e.content)),
          part.map((e) => (e.extras === null ? null : JSON.stringify(e.extras))),
        ],
      );
    }
    await fixture.rows(
      'UPDATE conversations SET last_position = $2, last_at = now() WHERE id = $1',
      [conversationId, first + entries.length - 1],
    );
    return positions;
  };

  /** A group of the most members that come with it, with this last message. */
  const groupWith = async (n: number, last: Entry): Promise<string> => {
    const id = createHash('sha256').update(`bounds ${n}`).digest('base64url');
    await fixture.rows(
      `INSERT INTO conversations (id, kind, title, created_at, created_by, version, partition,
          created_position, last_at)
        VALUES ($1, 'group', $2, now(), $3, 1, 0, 1, now())`,
      [id, '"'.repeat(LIMITS.titleBytes), ann.id],
    );
    await fixture.rows(
      `INSERT INTO members (conversation_id, user_id, role, from_position)
        SELECT $1, u, 'member', 0 FROM unnest($2::uuid[]) u`,
      [id, [ann.id, ...people.slice(0, LIMITS.membersInline - 1)]],
    );
    await write(id, [last]);
    return id;
  };

  /** All items of a list, and that each page is within the bound and says that there are more. */
  const all = async <T>(
    page: (cursor?: string) => Promise<{ items: T[]; cursor?: string | undefined }>,
  ): Promise<T[]> => {
    const items: T[] = [];
    let cursor: string | undefined;
    do {
      const answer = await page(cursor);
      expect(bytesOf(answer)).toBeLessThanOrEqual(LIMITS.answerBytes);
      expect(answer.items.length).toBeGreaterThan(0);
      items.push(...answer.items);
      cursor = answer.cursor;
    } while (cursor !== undefined);
    return items;
  };

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    one = await fixture.storage('storage-1');
    ann = await newUser(one.rpc);
    people = Array.from({ length: PEOPLE }, () => uuidv7());
    await fixture.rows(
      `INSERT INTO users (id, username, username_key, email, email_key, first_name, last_name,
          password_hash)
        SELECT id, $2 || n, $2 || n, n || '@bounds', n || '@bounds', $3, $3, ''
        FROM unnest($1::uuid[]) WITH ORDINALITY u (id, n)`,
      [people, '漢'.repeat(LIMITS.usernameMaxChars - 3), NAME],
    );
    const ids = [ann.id, people];
    await fixture.rows('INSERT INTO contacts SELECT $1, unnest($2::uuid[])', ids);
    await fixture.rows('INSERT INTO contacts SELECT unnest($2::uuid[]), $1', [
      ann.id,
      people.slice(1),
    ]);
    await fixture.rows('DELETE FROM contacts WHERE user_id = $1', [ann.id]);
    const made = await one.rpc.call(
      'conversations.group',
      { userId: ann.id, requestId: 'bounds', title: 'bounds', userIds: people },
      PATIENT,
    );
    group = made.conversation.id;
  }, 240_000);

  afterAll(() => fixture?.stop());

  it('a history: each page holds what fits, at least one message, and no page is read in vain', async () => {
    const entries = fc.array(entry, { minLength: 1, maxLength: 60 });
    const limits = fc.constantFrom(1, 7, LIMITS.historyItems);
    // chance seldom makes a history that is many times as large as a page
    const heaviest = Array<Entry>(60).fill({ content: HEAVIEST, extras: null });
    const examples: [Entry[], number, boolean][] = [
      [heaviest, LIMITS.historyItems, true],
      [heaviest, LIMITS.historyItems, false],
    ];
    await fc.assert(
      fc.asyncProperty(entries, limits, fc.boolean(), async (history, limit, forward) => {
        const positions = await write(group, history);
        const read: Message[] = [];
        for (let more = true; more;) {
          const last = forward ? read.at(-1) : read[0];
          const at = last?.position;
          const answer = await one.rpc.call(
            'messages.history',
            {
              userId: ann.id,
              conversationId: group,
              limit,
              ...(forward ? { after: at ?? '0' } : at !== undefined && { before: at }),
            },
            PATIENT,
          );
          expect(bytesOf(answer)).toBeLessThanOrEqual(LIMITS.answerBytes);
          expect(answer.items.length).toBeGreaterThan(0);
          expect(answer.items.length).toBeLessThanOrEqual(limit);
          read.splice(forward ? read.length : 0, 0, ...answer.items);
          ({ more } = answer);
        }
        expect(read.map((m) => m.position)).toEqual(positions);
        expect(read.map((m) => m.content)).toEqual(history.map((e) => e.content));
      }),
      { numRuns: RUNS, examples, ...REPLAY },
    );
  });

  it('a sync: an answer ends at its bound, and all changes come, however large they are', async () => {
    const history = Array.from({ length: 420 }, () => ({ content: HEAVIEST, extras: null }));
    const positions = await write(group, history);
    // all of them edited, the newest first
    const above = BigInt(positions.at(-1)!);
    await fixture.rows(
      `UPDATE messages SET version = $2::int8 + $3::int8 - position WHERE conversation_id = $1`,
      [group, String(above + 1n), String(above)],
    );
    await fixture.rows(
      'UPDATE conversations SET last_position = $2, last_at = now() WHERE id = $1',
      [group, String(above + 1_000n)],
    );
    const served = new Set<string>();
    let request: SyncRequest = {
      conversations: [{ conversationId: group, position: String(above) }],
    };
    let parts = 0;
    for (let complete = false; !complete; parts++) {
      const barrier = Array<string>(PARTITIONS).fill('0');
      const bodies = await synced(one.rpc, { userId: ann.id, request, barrier });
      const document = bodies.reduce((sum, body) => sum + bytesOf(body), 0);
      expect(document).toBeLessThanOrEqual(SYNC_ANSWER_BYTES);
      for (const { messages } of bodies.flatMap((body) => body.conversations)) {
        for (const { position } of messages) served.add(position);
      }
      const end = bodies.at(-1)!;
      complete = end.complete === true;
      request = { since: end.since };
    }
    expect(served.size).toBe(history.length);
    expect(parts).toBeGreaterThan(20);
  });

  it('a history of small messages still comes in pages of as many as were asked for', async () => {
    const content: Content = { kind: 'text', text: 'x'.repeat(300) };
    await write(group, Array<Entry>(LIMITS.historyItems + 5).fill({ content, extras: null }));
    const input = { userId: ann.id, conversationId: group, limit: LIMITS.historyItems };
    const { items, more } = await one.rpc.call('messages.history', input, PATIENT);
    expect([items.length, more]).toEqual([LIMITS.historyItems, true]);
  });

  it('conversations: whatever their last messages are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 30, maxLength: 30 }), async (lasts) => {
        await fixture.rows('DELETE FROM members WHERE conversation_id <> $1', [group]);
        await fixture.rows('DELETE FROM conversations WHERE id <> $1', [group]);
        const ids: string[] = [];
        for (const [n, last] of lasts.entries()) ids.unshift(await groupWith(n, last));
        const found = await all((cursor) => {
          const input = { userId: ann.id, limit: LIMITS.pageItems, cursor };
          return one.rpc.call('conversations.list', input, PATIENT);
        });
        expect(found.map((c) => c.id).filter((id) => id !== group)).toEqual(ids);
      }),
      { numRuns: 3, ...REPLAY },
    );
  });

  it.each([
    ['members.list', () => ({ conversationId: group }), PEOPLE + 1],
    ['receipts.list', () => ({ conversationId: group }), PEOPLE + 1],
    ['contacts.incoming', () => ({}), PEOPLE - 1],
    ['users.search', () => ({ query: '漢漢' }), PEOPLE],
  ] as const)('%s', async (call, more, expected) => {
    const found = await all<unknown>((cursor) => {
      const input = { userId: ann.id, limit: LIMITS.pageItems, cursor, ...more() };
      return one.rpc.call(call as 'members.list', input as never, PATIENT);
    });
    expect(found).toHaveLength(expected);
    expect(new Set(found.map((item) => JSON.stringify(item))).size).toBe(expected);
  });

  it('contacts.list', async () => {
    await fixture.rows('INSERT INTO contacts SELECT $1, unnest($2::uuid[])', [ann.id, people]);
    const found = await all((cursor) =>
      one.rpc.call('contacts.list', { userId: ann.id, limit: LIMITS.pageItems, cursor }, PATIENT),
    );
    expect(found).toHaveLength(PEOPLE);
  });

  it('messages.trace', async () => {
    const content: Content = { kind: 'text', text: 'x' };
    const [position] = await write(group, [{ content, extras: null }]);
    await fixture.rows(
      `UPDATE members SET read = $2, delivered = $2, read_at = now(), delivered_at = now()
        WHERE conversation_id = $1`,
      [group, position],
    );
    const [row] = await fixture.rows<{ message_id: string }>(
      'SELECT message_id FROM messages WHERE conversation_id = $1',
      [group],
    );
    const readers = await all(async (cursor) => {
      const input = { userId: ann.id, conversationId: group, messageId: row!.message_id, cursor };
      const { trace } = await one.rpc.call('messages.trace', { ...input, limit: 100 }, PATIENT);
      expect(bytesOf(trace)).toBeLessThanOrEqual(LIMITS.answerBytes);
      return { items: trace!.read, cursor: trace!.cursor };
    });
    expect(readers).toHaveLength(PEOPLE);
  });

  it('blocks.list', async () => {
    await fixture.rows('INSERT INTO blocks SELECT $1, unnest($2::uuid[])', [ann.id, people]);
    const found = await all((cursor) =>
      one.rpc.call('blocks.list', { userId: ann.id, limit: LIMITS.pageItems, cursor }, PATIENT),
    );
    expect(found).toHaveLength(PEOPLE);
  });

  it('devices.list', async () => {
    await fixture.rows(
      `INSERT INTO devices (id, user_id, name, session_generation, refresh_sequence,
          confirmed_sequence, logged_in)
        SELECT gen_random_uuid(), $1, $2, n, 1, 1, true FROM generate_series(2, $3::int + 1) n`,
      [ann.id, NAME, LIMITS.devicesPerUser],
    );
    const answer = await one.rpc.call('devices.list', { userId: ann.id }, PATIENT);
    expect(answer.items).toHaveLength(LIMITS.devicesPerUser);
    expect(bytesOf(answer)).toBeLessThanOrEqual(LIMITS.answerBytes);
  });
});
