import fc from 'fast-check';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import type { Sql } from '../database/database';
import { LogState } from '../log/log-state';
import { Progress } from '../log/progress';
import type { Applied, BatchRepository } from './batch.repository';
import { BatchWriter } from './batch-writer';
import type { LogEntry } from './record-decoder';
import { PARTITIONS, sentRecord } from '../../testing/records';
import { WriterMetrics } from './writer-metrics';

const PARTITION = sentRecord(0n).partition;
const log = new LogState(
  'chat.messages.v1',
  1,
  Array.from({ length: PARTITIONS }, () => 1n),
);
const quiet = createLogger({ service: 'test', nodeId: 'test', level: 'silent' });
const nobody: Sql = { rows: () => Promise.resolve([]) };

/** What the database does: the fence, the unique key, and the failures that a test asks for. */
class FakeStore implements Pick<BatchRepository, 'apply' | 'progress'> {
  next = 0n;
  epoch = 1;
  readonly rows: LogEntry[] = [];
  fail: (entries: readonly LogEntry[]) => unknown = () => null;

  apply(_p: number, first: bigint, next: bigint, entries: readonly LogEntry[]): Promise<Applied> {
    const failure = this.fail(entries);
    if (failure !== null) return Promise.reject(failure as Error);
    if (first !== this.next) return Promise.resolve(null);
    this.next = next;
    const before = this.rows.length;
    for (const entry of entries) {
      if (!this.rows.some((row) => row.messageId === entry.messageId)) this.rows.push(entry);
    }
    return Promise.resolve({ inserted: this.rows.length - before });
  }

  progress(): Promise<{ epoch: number; next: bigint }> {
    return Promise.resolve({ epoch: this.epoch, next: this.next });
  }
}

function setUp() {
  const store = new FakeStore();
  const deadLetters: { offset: bigint; reason: string }[] = [];
  const defects: bigint[] = [];
  const fatal: Error[] = [];
  const progress = new Progress(nobody, log);
  let deadLettersFail = false;
  const writer = new BatchWriter({
    log,
    progress,
    logger: quiet,
    batches: store as unknown as BatchRepository,
    defects: { noteRecord: (record) => void defects.push(record.offset) },
    metrics: new WriterMetrics(new Metrics({ service: 'test', node: 'test' })),
    deadLetter: (record, reason) => {
      if (deadLettersFail) return Promise.reject(new Error('no Kafka'));
      deadLetters.push({ offset: record.offset, reason });
      return Promise.resolve();
    },
    fatal: (error) => fatal.push(error),
  });
  const failDeadLetters = (value: boolean): void => void (deadLettersFail = value);
  return { store, deadLetters, defects, fatal, progress, writer, failDeadLetters };
}

function batchOf(records: LogRecord[]): LogBatch {
  return {
    topic: log.topic,
    partition: PARTITION,
    records,
    highWatermark: 0n,
    lag: 0n,
    firstOffset: records[0]!.offset,
    nextOffset: records.at(-1)!.offset + 1n,
    revoked: () => false,
    heartbeat: () => Promise.resolve(),
  };
}

const state = (code: string): Error => Object.assign(new Error(code), { code });
const poison = (offset: bigint): LogRecord => sentRecord(offset, {}, { value: Buffer.from('{') });

describe('batch writer', () => {
  it('starts where the database ends, not where the group has committed', async () => {
    const { store, writer, progress } = setUp();
    store.next = 5n;
    const context = { committed: 9n, low: 0n, high: 10n };
    await expect(writer.assigned(log.topic, PARTITION, context)).resolves.toEqual({ seek: 5n });
    expect(progress.reached({ partition: PARTITION, next: 5n })).toBe(true);
  });

  it.each([
    ['the log ends before it', { low: 0n, high: 4n }, /ends at offset 4.*raise the log epoch/s],
    ['the log starts behind it', { low: 6n, high: 9n }, /starts at offset 6.*retention/s],
  ])('refuses to run when %s', async (_what, bounds, advice) => {
    const { store, writer, fatal } = setUp();
    store.next = 5n;
    const assigned = writer.assigned(log.topic, PARTITION, { committed: null, ...bounds });
    await expect(assigned).rejects.toThrow(advice);
    expect(fatal).toHaveLength(1);
  });

  it('refuses to run when the epoch has changed', async () => {
    const { store, writer, fatal } = setUp();
    store.epoch = 2;
    const context = { committed: null, low: 0n, high: 0n };
    await expect(writer.assigned(log.topic, PARTITION, context)).rejects.toThrow(/epoch 2/);
    expect(fatal).toHaveLength(1);
  });

  it('applies a batch and tells who waits', async () => {
    const { store, writer, progress } = setUp();
    const outcome = await writer.handle(batchOf([sentRecord(0n), sentRecord(1n)]));
    expect(outcome).toEqual({ done: true, commit: 2n });
    expect(store.rows.map((r) => r.position)).toEqual([1n, 2n]);
    expect(progress.reached({ partition: PARTITION, next: 2n })).toBe(true);
  });

  it('goes where the database is when it is fenced', async () => {
    const { store, writer } = setUp();
    store.next = 7n;
    await expect(writer.handle(batchOf([sentRecord(3n)]))).resolves.toEqual({ seek: 7n });
    expect(store.rows).toEqual([]);
  });

  it('keeps the first of two records with one id', async () => {
    const { store, writer } = setUp();
    const twice = sentRecord(0n, { messageId: '01890a5d-ac97-7c3a-8f10-000000000000' });
    const later = { ...twice, offset: 1n };
    await writer.handle(batchOf([twice, later, sentRecord(2n)]));
    expect(store.rows.map((r) => r.position)).toEqual([1n, 3n]);
  });

  it.each([
    ['a lost connection', new Error('Connection terminated unexpectedly')],
    ['a deadlock', state('40P01')],
    ['a cancelled statement', state('57014')],
    ['a full disk', state('53100')],
    ['a missing function', state('42883')],
  ])('retries %s and skips nothing', async (_what, error) => {
    const { store, writer, deadLetters } = setUp();
    store.fail = () => error;
    const records = [sentRecord(0n), sentRecord(1n)];
    const first = (await writer.handle(batchOf(records))) as { retryAfterMs: number; from: bigint };
    const second = (await writer.handle(batchOf(records))) as { retryAfterMs: number };
    expect(first.from).toBe(0n);
    expect(second.retryAfterMs).toBeGreaterThan(first.retryAfterMs);
    store.fail = () => null;
    await expect(writer.handle(batchOf(records))).resolves.toEqual({ done: true, commit: 2n });
    expect([store.rows.length, deadLetters.length]).toEqual([2, 0]);
  });

  it('dead-letters what cannot be read, alone', async () => {
    const { store, writer, deadLetters } = setUp();
    await writer.handle(batchOf([sentRecord(0n), poison(1n), sentRecord(2n)]));
    expect(deadLetters).toEqual([{ offset: 1n, reason: 'the value is not JSON' }]);
    expect(store.rows.map((r) => r.position)).toEqual([1n, 3n]);
    expect(store.next).toBe(3n);
  });

  it('does not pass a poison record while its dead letter cannot be written', async () => {
    const { store, writer, failDeadLetters } = setUp();
    failDeadLetters(true);
    await expect(writer.handle(batchOf([poison(0n)]))).resolves.toMatchObject({ from: 0n });
    expect(store.next).toBe(0n);
    failDeadLetters(false);
    await expect(writer.handle(batchOf([poison(0n)]))).resolves.toEqual({ done: true, commit: 1n });
  });

  it('passes on from many poison records', async () => {
    const { store, writer, deadLetters } = setUp();
    await writer.handle(batchOf(Array.from({ length: 95 }, (_, i) => poison(BigInt(i)))));
    expect(deadLetters).toHaveLength(95);
    expect(store.next).toBe(95n);
  });

  it('ignores other types and epochs', async () => {
    const { store, writer, deadLetters } = setUp();
    const others = [sentRecord(0n, {}, { type: 'other.v1' }), sentRecord(1n, {}, { epoch: 9 })];
    await expect(writer.handle(batchOf(others))).resolves.toEqual({ done: true, commit: 2n });
    expect([store.rows.length, deadLetters.length, store.next]).toEqual([0, 0, 2n]);
  });

  it('finds whatever records the database refuses, and stores all others', async () => {
    const subsets = fc.uniqueArray(fc.integer({ min: 0, max: 29 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(subsets, async (bad) => {
        const { store, writer, deadLetters } = setUp();
        const isBad = (e: LogEntry): boolean => bad.includes(Number(e.record.offset));
        store.fail = (entries) => (entries.some(isBad) ? state('22021') : null);
        const records = Array.from({ length: 30 }, (_, i) => sentRecord(BigInt(i)));
        const outcome: HandleOutcome = await writer.handle(batchOf(records));
        expect(outcome).toEqual({ done: true, commit: 30n });
        expect(deadLetters.map((l) => Number(l.offset))).toEqual([...bad].sort((a, b) => a - b));
        expect(store.rows).toHaveLength(30 - bad.length);
      }),
      { numRuns: 50 },
    );
  });

  it('stops in the middle when the assignment ends', async () => {
    const { writer, store } = setUp();
    const records = Array.from({ length: 2_500 }, (_, i) => sentRecord(BigInt(i)));
    const batch = { ...batchOf(records), revoked: () => store.next >= 1_000n };
    await expect(writer.handle(batch)).resolves.toEqual({ done: true, commit: 1_000n });
  });
});
