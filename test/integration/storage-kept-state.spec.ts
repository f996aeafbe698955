import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { DIGEST_LENGTH, digestText } from '@tidings/protocol/digest';
import type { SyncedBody, SyncedConversation, SyncRequest } from '@tidings/protocol/frames';
import { Database, type Sql } from '../../apps/storage/src/database/database';
import { loadLogState } from '../../apps/storage/src/log/log-state';
import { Progress } from '../../apps/storage/src/log/progress';
import { StateKeeper } from '../../apps/storage/src/sync/state-keeper';
import { SyncRepository } from '../../apps/storage/src/sync/sync.repository';
import { SyncService } from '../../apps/storage/src/sync/sync.service';
import { type Random, randomBelow, seededRandom } from '../../tools/load/random';
import { eventually } from '../support/eventually';
import {
  changeOf,
  messageOf,
  newUser,
  PARTITIONS,
  type RunningStorage,
  StorageFixture,
  type TestUser,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };
const MINUTE_MS = 60_000;

jest.setTimeout(MINUTE_MS);

interface Row extends Record<string, unknown> {
  position: string;
  message_id: string;
  version: string;
  sender_id: string;
  kind: string;
  deleted: boolean;
  expires_at: Date | null;
}

/** Counts the rows of messages that its snapshots read. */
class CountingDatabase extends Database {
  read = 0;

  override snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return super.snapshot(async (sql) => {
      const before = await rowsRead(sql);
      const result = await work(sql);
      this.read += (await rowsRead(sql)) - before;
      return result;
    });
  }
}

/** Rows of messages that this connection has read and not reported yet: it reports between transactions. */
async function rowsRead(sql: Sql): Promise<number> {
  const [row] = await sql.rows<{ read: number }>({
    text: `SELECT COALESCE(sum(seq_tup_read + idx_tup_fetch), 0)::float8 AS read
           FROM pg_stat_xact_user_tables WHERE relname ~ '^messages(_[0-9]+)?$'`,
  });
  return row!.read;
}

describe('storage: what syncs counted is kept', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let database: CountingDatabase;
  let keeper: StateKeeper;
  let service: SyncService;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    one = await fixture.storage('storage-1');
    const options = { url: fixture.servers.databaseUrl, name: 'test', connections: 3 };
    database = new CountingDatabase(options, () => undefined);
    const log = await loadLogState(database, PARTITIONS);
    keeper = new StateKeeper(database, { debug: () => undefined });
    const repository = new SyncRepository(database);
    service = new SyncService(repository, new Progress(database, log), log, keeper);
  }, 240_000);

  afterAll(async () => {
    await keeper?.stop();
    await database?.close();
    await fixture?.stop();
  });

  /** Waits until everything that was appended is applied. */
  async function applied() {
    await eventually(async () => {
      const ends = (await fixture.barrier()).map((offset) => BigInt(offset ?? 0));
      const rows = await fixture.rows<{ next: string }>(
        `SELECT next FROM log_progress WHERE topic = 'chat.messages.v1' ORDER BY partition`,
      );
      expect(rows.every(({ next }, partition) => BigInt(next) >= ends[partition]!)).toBe(true);
    });
  }

  /** A sync, behind everything that was appended, and how many rows of messages it read. */
  async function sync(userId: string, request: SyncRequest) {
    await applied();
    await keeper.idle();
    database.read = 0;
    const answer = await service.answer(userId, request, Array<string>(PARTITIONS).fill('0'));
    const bodies = answer.bodies.map((text) => JSON.parse(text) as SyncedBody);
    const { read } = database;
    await keeper.idle();
    const conversations = bodies.flatMap((body) => body.conversations);
    return { conversations, since: bodies.at(-1)!.since, read };
  }

  const pair = async (): Promise<{ id: string; ann: TestUser; bob: TestUser }> => {
    const [ann, bob] = [await newUser(one.rpc, 'ann'), await newUser(one.rpc, 'bob')];
    const input = { userId: ann.id, otherId: bob.id };
    const { conversation } = await one.rpc.call('conversations.direct', input, PATIENT);
    return { id: conversation.id, ann, bob };
  };
  const entry = ({ conversationId, upTo: position, digest }: SyncedConversation) => ({
    conversationId,
    position,
    digest,
  });
  const send = (id: string, sender: TestUser, count: number) =>
    fixture.append(Array.from({ length: count }, (_, i) => messageOf(id, sender.id, `m${i}`)));

  /** What a member has to be told, from the rows alone. */
  async function reference(id: string, userId: string, asOfMs: number | null) {
    const [member] = await fixture.rows<{ from_position: string; read: string }>(
      'SELECT from_position, read FROM members WHERE conversation_id = $1 AND user_id = $2',
      [id, userId],
    );
    const rows = await fixture.rows<Row>(
      'SELECT * FROM messages WHERE conversation_id = $1 ORDER BY position',
      [id],
    );
    const [{ now } = { now: new Date() }] = await fixture.rows<{ now: Date }>('SELECT now()');
    const alive = (atMs: number) => (row: Row) =>
      row.expires_at === null || row.expires_at.getTime() > atMs;
    const visible = rows.filter((row) => BigInt(row.position) > BigInt(member!.from_position));
    const lines = visible.filter(alive(asOfMs ?? now.getTime())).slice(-DIGEST_LENGTH);
    const digest = digestText(
      lines.map(({ position, message_id: messageId, version }) => ({
        position,
        messageId,
        version,
      })),
    );
    const unread = visible
      .filter(alive(now.getTime()))
      .filter(
        (row) =>
          row.sender_id !== userId &&
          row.kind !== 'event' &&
          !row.deleted &&
          BigInt(row.position) > BigInt(member!.read),
      ).length;
    return { digest: createHash('sha256').update(digest).digest('base64url'), unread };
  }

  it('a conversation where nothing happens is answered without reading a message', async () => {
    const { id, ann, bob } = await pair();
    await send(id, ann, 15);
    await send(id, bob, 2);
    const first = await sync(ann.id, {});
    expect(first.read).toBeGreaterThan(10);
    const request = { since: first.since, conversations: first.conversations.map(entry) };
    const second = await sync(ann.id, request);
    expect(second.read).toBe(0);
    expect(second.conversations).toMatchObject([
      { state: 'same', digest: first.conversations[0]!.digest, unread: 2 },
    ]);
    // The digest is the other member's as well; what he has not read is counted once.
    const others = await sync(
      bob.id,
      request.since ? { conversations: request.conversations } : {},
    );
    expect(others.conversations).toMatchObject([{ state: 'same', unread: 15 }]);
    expect((await sync(bob.id, { conversations: request.conversations })).read).toBe(0);
  });

  it('a wrong digest is found by the kept one, too', async () => {
    const { id, ann } = await pair();
    await send(id, ann, 12);
    const { conversations } = await sync(ann.id, {});
    const held = entry(conversations[0]!);
    const wrong = await sync(ann.id, { conversations: [{ ...held, digest: 'x'.repeat(43) }] });
    expect(wrong.conversations).toMatchObject([{ state: 'reset', digest: held.digest }]);
    expect(wrong.conversations[0]!.messages).toHaveLength(10);
  });

  it('a member who does not see all of the last messages has a digest of his own', async () => {
    const { id, ann, bob } = await pair();
    const sent = await send(id, ann, 12);
    const whole = await sync(ann.id, {});
    await fixture.rows(
      'UPDATE members SET from_position = $3 WHERE conversation_id = $1 AND user_id = $2',
      [id, bob.id, sent[6]],
    );
    for (let round = 0; round < 2; round++) {
      const part = await sync(bob.id, {});
      const { digest, unread } = await reference(id, bob.id, null);
      expect(part.conversations).toMatchObject([{ digest, unread }]);
      expect(digest).not.toBe(whole.conversations[0]!.digest);
    }
    expect((await sync(ann.id, {})).conversations[0]!.digest).toBe(whole.conversations[0]!.digest);
  });

  it('keeping waits for no lock: what is locked is counted again', async () => {
    const { id, ann } = await pair();
    await send(id, ann, 3);
    await applied();
    const other = new Client({ connectionString: fixture.servers.databaseUrl });
    await other.connect();
    const kept = async () => {
      const [row] = await fixture.rows<{ digest: string | null }>(
        'SELECT digest FROM conversations WHERE id = $1',
        [id],
      );
      return row!.digest;
    };
    try {
      await other.query('BEGIN');
      await other.query('SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE', [id]);
      await sync(ann.id, {});
      expect(await kept()).toBeNull();
      await other.query('ROLLBACK');
    } finally {
      await other.end();
    }
    const { conversations } = await sync(ann.id, {});
    expect(await kept()).toBe(conversations[0]!.digest);
  });

  it('never differs from what the rows say, whatever happened', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    try {
      for (let history = 0; history < 4; history++) await livesThrough(random);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }, 600_000);

  /** A conversation in which things happen at random, looked at by both members after each. */
  async function livesThrough(random: Random): Promise<void> {
    const { id, ann, bob } = await pair();
    const sent: { message: ReturnType<typeof messageOf>; position: string }[] = [];
    const happen = [
      async () => {
        const messages = Array.from({ length: 1 + randomBelow(random, 8) }, () =>
          messageOf(id, random() < 0.5 ? ann.id : bob.id, 'words'),
        );
        const positions = await fixture.append(messages);
        messages.forEach((message, i) => sent.push({ message, position: positions[i]! }));
      },
      async () => {
        const lifeMs = [150, 700, 3 * MINUTE_MS][randomBelow(random, 3)]!;
        const expiresAt = new Date(Date.now() + lifeMs).toISOString();
        const message = messageOf(id, ann.id, 'not for long', { expiresAt });
        sent.push({ message, position: (await fixture.append([message]))[0]! });
      },
      async () => {
        const any = sent.at(-1 - randomBelow(random, 14));
        if (!any) return;
        const text = random() < 0.5 ? null : 'better words';
        await fixture.appendChanges([changeOf(any.message, any.position, text)]);
      },
      async () => {
        const any = sent[randomBelow(random, Math.max(1, sent.length))];
        if (!any) return;
        await fixture.rows(
          'UPDATE members SET read = GREATEST(read, $3) WHERE conversation_id = $1 AND user_id = $2',
          [id, bob.id, any.position],
        );
      },
      () => sleep(200),
    ];
    for (let step = 0; step < 25; step++) {
      await happen[randomBelow(random, happen.length)]!();
      for (const user of [ann, bob]) await agrees(id, user, random);
    }
  }

  /** What is told, kept or counted, is what the rows say. */
  async function agrees(id: string, user: TestUser, random: Random): Promise<void> {
    const { conversations } = await asTheRows(id, user, async () => {
      const answer = await sync(user.id, {});
      const { digest, unread } = answer.conversations[0]!;
      return { ...answer, digest, unread };
    });
    await asTheRows(id, user, () =>
      one.rpc.call('conversations.get', { userId: user.id, conversationId: id }, PATIENT),
    );
    // The client's clock is off: its digest is of another moment, and right.
    const offMs = (randomBelow(random, 9) - 4) * MINUTE_MS;
    const asOfMs = Date.now() + offMs;
    const theirs = await reference(id, user.id, asOfMs);
    const request = { asOf: new Date(asOfMs).toISOString() };
    const held = { ...entry(conversations[0]!), digest: theirs.digest };
    const { conversations: compared } = await sync(user.id, {
      ...request,
      conversations: [held],
    });
    expect(compared).toMatchObject([{ state: 'same' }]);
  }

  /** Prints what a wrong digest was made from: the rows, what is kept, and the database's time. */
  async function showKept(id: string): Promise<void> {
    const kept = await fixture.rows(
      `SELECT last_position, digest_position, digest_from, digest_since, digest_until, now()
        FROM conversations WHERE id = $1`,
      [id],
    );
    const rows = await fixture.rows(
      `SELECT position, version, expires_at, content IS NULL AS empty, deleted FROM messages
        WHERE conversation_id = $1 ORDER BY position DESC LIMIT ${2 * DIGEST_LENGTH}`,
      [id],
    );
    process.stderr.write(`${JSON.stringify({ at: new Date(), kept, rows })}\n`);
  }

  /**
   * Expects of an answer what the rows say. Asks again only when they said something else before it than
   * behind it, because a message expired meanwhile; a wrong answer is never asked for twice.
   */
  async function asTheRows<T extends { digest: string; unread: number }>(
    id: string,
    user: TestUser,
    ask: () => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const before = await reference(id, user.id, null);
      const answer = await ask();
      const after = await reference(id, user.id, null);
      if (before.digest !== after.digest || before.unread !== after.unread) continue;
      if (answer.digest !== before.digest) await showKept(id);
      expect({ digest: answer.digest, unread: answer.unread }).toEqual(before);
      return answer;
    }
  }
});
