import { conversationRouting } from '@tidings/common/rpc/calls';
import type { MessageSent } from '@tidings/common/log-events/events';
import { deadLetterTopic, GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { uuidv7 } from 'uuidv7';
import { Database } from '../../apps/storage/src/database/database';
import { LogState } from '../../apps/storage/src/log/log-state';
import { BatchRepository } from '../../apps/storage/src/messages/batch.repository';
import { decodeEntry, type LogEntry } from '../../apps/storage/src/messages/record-decoder';
import { sentRecord } from '../../apps/storage/testing/records';
import { eventually } from '../support/eventually';
import { messageOf, PARTITIONS, type RunningStorage, StorageFixture } from './storage-support';

const SENDER = '01890a5d-ac96-774b-bcce-b302099a8057';
const TOPIC = TOPICS.messages;

/** Ids of conversations in one partition. */
function conversationsIn(partition: number, count: number): string[] {
  const ids: string[] = [];
  for (let i = 0; ids.length < count; i++) {
    const id = `writer-${i}-${uuidv7()}`;
    if (partitionOf(id, PARTITIONS) === partition) ids.push(id);
  }
  return ids;
}

describe('storage: the fence of the batch writer', () => {
  let fixture: StorageFixture;
  let databases: Database[];
  let writers: BatchRepository[];
  const log = new LogState(
    TOPIC,
    1,
    Array.from({ length: PARTITIONS }, () => 1n),
  );
  const [conversationId] = conversationsIn(0, 1) as [string];

  const entryAt = (offset: bigint, messageId: string): LogEntry => {
    const decoded = decodeEntry(sentRecord(offset, { conversationId, messageId }), log);
    if (decoded.kind !== 'entry') throw new Error(JSON.stringify(decoded));
    return decoded.entry;
  };
  const positions = async (): Promise<string[]> => {
    const text = 'SELECT position FROM messages WHERE conversation_id = $1 ORDER BY position';
    return (await fixture.rows<{ position: string }>(text, [conversationId])).map(
      (r) => r.position,
    );
  };

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    const url = fixture.servers.databaseUrl;
    databases = ['a', 'b'].map(
      (name) => new Database({ url, name, connections: 2 }, () => undefined),
    );
    writers = databases.map((database) => new BatchRepository(database, log));
    await fixture.rows(
      `INSERT INTO conversations (id, kind, created_at, created_by, version, partition, last_at)
       VALUES ($1, 'direct', now(), $2, 1, 0, now())`,
      [conversationId, SENDER],
    );
  }, 240_000);

  afterAll(async () => {
    await Promise.all((databases ?? []).map((database) => database.close()));
    await fixture?.stop();
  });

  it('lets exactly one of two writers apply each batch', async () => {
    for (let round = 0n; round < 40n; round++) {
      const [first, next] = [round * 2n, round * 2n + 2n];
      const entries = [entryAt(first, uuidv7()), entryAt(first + 1n, uuidv7())];
      const outcomes = await Promise.all(writers.map((w) => w.apply(0, first, next, entries)));
      expect(outcomes.filter((o) => o?.inserted === 2)).toHaveLength(1);
      expect(outcomes.filter((o) => o === null)).toHaveLength(1);
    }
    expect(await positions()).toEqual(Array.from({ length: 80 }, (_, i) => String(i + 1)));
    expect((await writers[0]!.progress(0))?.next).toBe(80n);
  });

  it.each([
    ['a replay', 0n, 2n],
    ['a batch that overlaps', 79n, 81n],
    ['a batch behind a hole', 90n, 91n],
  ])('refuses %s', async (_what, first, next) => {
    expect(await writers[1]!.apply(0, first, next, [entryAt(first, uuidv7())])).toBeNull();
    expect(await positions()).toHaveLength(80);
  });

  it('refuses another epoch', async () => {
    const later = new BatchRepository(databases[0]!, new LogState(TOPIC, 2, log.bases));
    expect(await later.apply(0, 80n, 81n, [])).toBeNull();
  });

  it('keeps the first position of an id, in one batch and over batches', async () => {
    const [a, b] = [uuidv7(), uuidv7()];
    const batch = [entryAt(80n, a), entryAt(81n, b), entryAt(82n, a)];
    expect(await writers[0]!.apply(0, 80n, 83n, batch)).toEqual({ inserted: 2 });
    const again = [entryAt(83n, b), entryAt(84n, a)];
    expect(await writers[1]!.apply(0, 83n, 85n, again)).toEqual({ inserted: 0 });
    expect((await positions()).slice(-2)).toEqual(['81', '82']);
    // A double is no entry: the conversation ends where its last entry is.
    const [row] = await fixture.rows('SELECT last_position FROM conversations WHERE id = $1', [
      conversationId,
    ]);
    expect(row).toEqual({ last_position: '82' });
  });
});

describe('storage: the batch writer', () => {
  let fixture: StorageFixture;
  let storage: RunningStorage;

  const appliedAll = (withinMs?: number) =>
    eventually(async () => {
      const barrier = await fixture.barrier();
      const rows = await fixture.rows<{ next: string }>(
        'SELECT next FROM log_progress ORDER BY partition',
      );
      expect(rows.map((row) => row.next)).toEqual(barrier);
    }, withinMs);
  /** Texts of a conversation in the order of their positions. */
  const textsOf = async (conversationId: string): Promise<string[]> => {
    const rows = await fixture.rows<{ content: string }>(
      'SELECT content FROM messages WHERE conversation_id = $1 ORDER BY position',
      [conversationId],
    );
    return rows.map((row) => (JSON.parse(row.content) as { text: string }).text);
  };
  /** Appends to conversations in all partitions, in rounds, while `trouble` happens. */
  const underTrouble = async (trouble: () => Promise<void>): Promise<void> => {
    const ids = [0, 1, 2, 3].flatMap((partition) => conversationsIn(partition, 3));
    const expected: string[] = [];
    let over = false;
    const troubled = trouble().finally(() => (over = true));
    for (let round = 0; !over || round < 20; round++) {
      const messages = ids.flatMap((id) => {
        const numbers = Array.from({ length: 10 }, (_, i) => `${round * 10 + i}`);
        return numbers.map((text) => messageOf(id, SENDER, text));
      });
      await fixture.append(messages);
      expected.push(...Array.from({ length: 10 }, (_, i) => `${round * 10 + i}`));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await troubled;
    await appliedAll(60_000);
    for (const id of ids) expect(await textsOf(id)).toEqual(expected);
    expect(storage.fatal).toBeNull();
  };

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    storage = await fixture.storage('storage-1');
  }, 240_000);

  afterAll(() => fixture?.stop());

  it('dead-letters poison with its reason, alone, and goes on', async () => {
    const [conversationId] = conversationsIn(1, 1) as [string];
    const fine = (text: string) => messageOf(conversationId, SENDER, text);
    const log = await fixture.log();
    const raw = (value: string | Buffer, type = 'tidings.message.sent.v1') =>
      new Promise((resolve) =>
        log.append({ key: conversationId, type, id: uuidv7(), time: '', value }, resolve),
      );
    await fixture.append([fine('before')]);
    await raw('garbage');
    await raw(Buffer.alloc(0));
    await raw('{}', 'tidings.message.sent.v9');
    await raw('{}', 'tidings.unknown.event.v1');
    await raw('x'.repeat(400_000));
    // PostgreSQL has no year 0: only the database finds this one.
    await fixture.append([fine('year'), { ...fine('zero'), sentAt: '0000-01-01T00:00:00.000Z' }]);
    await fixture.append([{ ...fine('nul'), content: { kind: 'text', text: 'a\u0000b' } }]);
    const producer = fixture.kafka.instance().producer();
    await producer.connect();
    await producer.send({
      topic: TOPIC,
      messages: [{ partition: 1, key: null, value: 'no headers' }],
    });
    await producer.disconnect();
    await fixture.append([fine('after')]);
    await appliedAll();
    expect(await textsOf(conversationId)).toEqual(['before', 'year', 'after']);
    expect(await deadLetterReasons(fixture, 7)).toEqual([
      expect.stringMatching(/^PostgreSQL 22008/),
      'ce_type is missing',
      'content: NUL or a lone surrogate',
      'the value is not JSON',
      'the value is not JSON',
      'the value is not JSON',
      'unknown version: tidings.message.sent.v9',
    ]);
  });

  it('sets one record aside that a step throws over, and applies those around it', async () => {
    const [conversationId] = conversationsIn(2, 1) as [string];
    const original = LogState.prototype.position;
    let bad = -1n;
    const step = jest.spyOn(LogState.prototype, 'position').mockImplementation(function (
      this: LogState,
      partition,
      offset,
    ) {
      if (partition === 2 && offset === bad) throw new TypeError('a defect');
      return original.call(this, partition, offset);
    });
    try {
      bad = BigInt((await fixture.barrier())[2] ?? 0) + 1n;
      await fixture.append(
        ['one', 'two', 'three'].map((text) => messageOf(conversationId, SENDER, text)),
      );
      await appliedAll();
      expect(await textsOf(conversationId)).toEqual(['one', 'three']);
      expect(await deadLetterReasons(fixture, 8)).toContain(
        'reading it threw: TypeError: a defect',
      );
      const defects = storage.metrics.registry.getSingleMetric('tidings_defects_total')!;
      expect((await defects.get()).values.map(({ value }) => value)).toEqual([1]);
    } finally {
      step.mockRestore();
    }
  });

  it('loses and doubles nothing while its connections are cut', async () => {
    await underTrouble(async () => {
      for (let i = 0; i < 25; i++) {
        await fixture.rows(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1`,
          ['storage-1/log'],
        );
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    });
  });

  it('goes on after a lock that lasted longer than its patience', async () => {
    await underTrouble(async () => {
      await fixture.rows('BEGIN');
      await fixture.rows('LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      await fixture.rows('ROLLBACK');
    });
  });

  it('goes on by itself after PostgreSQL was killed', async () => {
    await underTrouble(async () => {
      await fixture.servers.postgres.kill();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await fixture.servers.postgres.restart();
    });
  });

  it('goes on after Kafka was killed, and shares the work with a second instance', async () => {
    const second = await fixture.storage('storage-2');
    await underTrouble(async () => {
      await fixture.servers.kafka.kill();
      await fixture.servers.kafka.restart();
      await eventually(() => {
        for (const { readiness } of [storage, second]) expect(readiness.problems()).toEqual({});
      }, 60_000);
      await second.stop();
    });
  }, 180_000);

  it('tells the first append of ids, waiting for what is being applied', async () => {
    const [conversationId] = conversationsIn(2, 1) as [string];
    const message = messageOf(conversationId, SENDER, 'once');
    const ask = (items: { message: MessageSent; after?: string }[], waitMs = 2_000) =>
      storage.rpc.call(
        'messages.first',
        {
          ids: items.map(({ message: m, after }) => ({
            conversationId,
            messageId: m.messageId,
            after,
          })),
          waitMs,
        },
        { timeoutMs: 10_000 },
      );
    const [position] = await fixture.append([message]);
    const after = String(BigInt(position!) - 1n);
    const unknown = messageOf(conversationId, SENDER, 'never');
    const answer = await ask([
      { message, after },
      { message: unknown, after },
      { message: unknown },
    ]);
    const { senderId, contentHash, sentAt } = message;
    expect(answer.items).toEqual([
      { applied: true, first: { position, senderId, contentHash, sentAt, expiresAt: null } },
      { applied: true, first: null },
      { applied: true, first: null },
    ]);
    const far = String(BigInt(after) + 1_000n);
    expect((await ask([{ message: unknown, after: far }], 100)).items).toEqual([
      { applied: false, first: null },
    ]);
    expect(conversationRouting.shape.lastPosition.parse(position)).toBe(position);
  });

  it('refuses to start with a log that does not fit, and says what to do', async () => {
    await storage.stop();
    const start = () => fixture.storage('storage-3');
    await fixture.rows('UPDATE log_progress SET next = next + 1000000 WHERE partition = 2');
    await expect(start()).rejects.toThrow(/ends at offset .* raise the log epoch/);
    await fixture.rows('UPDATE log_progress SET next = next - 1000000 WHERE partition = 2');
    await expect(fixture.prepare(PARTITIONS + 1)).rejects.toThrow(/partitions/);
    await fixture.rows('DELETE FROM log_progress WHERE partition >= $1', [PARTITIONS]);
    await fixture.rows(`UPDATE storage_migrations SET name = 'x' || name`);
    await expect(start()).rejects.toThrow(/prepare/);
    await fixture.rows(`UPDATE storage_migrations SET name = substr(name, 2)`);
    await fixture.prepare();
    const again = await start();
    expect(again.fatal).toBeNull();
  });
});

/** Reasons of the dead letters, sorted, once there are as many. */
async function deadLetterReasons(fixture: StorageFixture, count: number): Promise<string[]> {
  const consumer = fixture.kafka.instance().consumer({ groupId: `letters-${uuidv7()}` });
  const reasons: string[] = [];
  await consumer.connect();
  try {
    const topic = deadLetterTopic(TOPIC, GROUPS.storageWriter);
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => {
        reasons.push(String(message.headers?.['dlq_reason']));
        return Promise.resolve();
      },
    });
    await eventually(() => expect(reasons.length).toBeGreaterThanOrEqual(count));
    return reasons.sort();
  } finally {
    await consumer.disconnect();
  }
}
