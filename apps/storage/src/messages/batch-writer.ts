import type {
  AssignmentContext,
  HandleOutcome,
  LogBatch,
  PartitionLifecycle,
} from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import { blamesItems, UnusableItem } from '@tidings/common/runtime/one-by-one';
import { sqlState } from '@tidings/common/runtime/database-errors';
import { checkBounds, type LogState, LogMismatchError } from '../log/log-state';
import type { Progress } from '../log/progress';
import type { BatchRepository } from './batch.repository';
import { decodeEntry, type Decoded, type LogItem } from './record-decoder';
import type { WriterMetrics } from './writer-metrics';
import { backoffCeiling } from '@tidings/common/runtime/waiting';

/** Entries of one statement. */
const STATEMENT_ENTRIES = 1_000;
/** Dead letters of one statement's records: each costs a round trip to Kafka. */
const STATEMENT_DEAD_LETTERS = 20;
/** How long a handler may go on with further statements of a fetched batch, in milliseconds. */
const HANDLE_MS = 1_000;
/** Pause after the nth failure in a row, in milliseconds. */
const RETRY = { baseMs: 50, maxMs: 1_000 };

/** Consecutive records that go into one statement. */
interface Step {
  first: bigint;
  next: bigint;
  entries: LogItem[];
  deadLetters: { record: LogRecord; reason: string }[];
}

/** What the batch writer works with. */
export interface BatchWriterParts {
  log: LogState;
  batches: BatchRepository;
  progress: Progress;
  metrics: WriterMetrics;
  defects: Pick<Defects, 'noteRecord'>;
  logger: Logger;
  /** Puts a record into the dead-letter topic; rejects when it is not there. */
  deadLetter: (record: LogRecord, reason: string) => Promise<void>;
  /** Ends the process: log and database do not fit. */
  fatal: (error: Error) => void;
}

/**
 * Writes the conversation log into PostgreSQL. What is applied is told by the database alone
 * (`log_progress`), and each statement moves it on by compare-and-set, so that zombies, replays and
 * crashes change nothing. Transient failures are retried for ever and never skipped; a record that
 * can never be applied is dead-lettered alone.
 */
export class BatchWriter implements PartitionLifecycle {
  private readonly failures = new Map<number, number>();
  private epochReported = false;

  constructor(private readonly parts: BatchWriterParts) {}

  /** Starts where the database ends, whatever the group has committed. */
  async assigned(
    topic: string,
    partition: number,
    context: AssignmentContext,
  ): Promise<{ seek: bigint }> {
    const { batches, progress, fatal } = this.parts;
    const state = await batches.progress(partition);
    try {
      const next = this.checkedNext(partition, state);
      checkBounds(topic, partition, next, context);
      progress.assign(partition);
      progress.reset(partition, next);
      return { seek: next };
    } catch (error) {
      if (error instanceof LogMismatchError) fatal(error);
      throw error;
    }
  }

  revoked(_topic: string, partition: number): void {
    this.failures.delete(partition);
    this.parts.progress.revoke(partition);
  }

  /** Applies a batch; what could not be applied is fetched again after a pause. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    const { partition, records } = batch;
    const startedAt = performance.now();
    let done = batch.firstOffset;
    let index = 0;
    while (index < records.length && !batch.revoked()) {
      if (index > 0) {
        if (performance.now() - startedAt > HANDLE_MS) break;
        await batch.heartbeat();
      }
      const { step, end } = this.collect(records, index, done);
      try {
        const seek = await this.apply(partition, step);
        if (seek !== null) return { seek };
      } catch (error) {
        return this.retry(partition, done, error);
      }
      done = step.next;
      index = end;
    }
    this.failures.delete(partition);
    return { done: true, commit: done };
  }

  /** The records from `index` on that fit into one statement. */
  private collect(
    records: readonly LogRecord[],
    index: number,
    first: bigint,
  ): { step: Step; end: number } {
    const step: Step = { first, next: first, entries: [], deadLetters: [] };
    let end = index;
    for (; end < records.length; end++) {
      if (
        step.entries.length >= STATEMENT_ENTRIES ||
        step.deadLetters.length >= STATEMENT_DEAD_LETTERS
      ) {
        break;
      }
      const record = records[end]!;
      const decoded = this.decode(record);
      if (decoded.kind === 'entry') step.entries.push(decoded.entry);
      else if (decoded.kind === 'change') step.entries.push(decoded.change);
      else if (decoded.kind === 'poison') step.deadLetters.push({ record, reason: decoded.reason });
      else this.ignore(record, decoded.why);
      step.next = record.offset + 1n;
    }
    return { step, end };
  }

  /** What this throws comes each time: it waits for nothing. */
  private decode(record: LogRecord): Decoded {
    try {
      return decodeEntry(record, this.parts.log);
    } catch (error) {
      this.parts.defects.noteRecord(record, error);
      return { kind: 'poison', reason: `reading it threw: ${String(error)}` };
    }
  }

  /** Applies one step; returns where to go on when the fence refused it, else null. */
  private async apply(partition: number, step: Step): Promise<bigint | null> {
    for (const { record, reason } of step.deadLetters) await this.bury(record, reason);
    return this.applyEntries(partition, step.first, step.next, step.entries);
  }

  /** Halves what the database refuses, down to the one record that it can never take. */
  private async applyEntries(
    partition: number,
    first: bigint,
    next: bigint,
    entries: LogItem[],
  ): Promise<bigint | null> {
    try {
      return await this.applyOnce(partition, first, next, entries);
    } catch (error) {
      if (!blamesItems(error) || entries.length === 0) throw error;
      if (entries.length === 1) {
        await this.buryEntry(entries[0]!.record, error);
        return this.applyOnce(partition, first, next, []);
      }
      const half = entries.length >> 1;
      const middle = entries[half]!.record.offset;
      const left = await this.applyEntries(partition, first, middle, entries.slice(0, half));
      return left ?? (await this.applyEntries(partition, middle, next, entries.slice(half)));
    }
  }

  private async applyOnce(
    partition: number,
    first: bigint,
    next: bigint,
    entries: LogItem[],
  ): Promise<bigint | null> {
    const { batches, metrics, progress } = this.parts;
    const startedAt = performance.now();
    const applied = await batches.apply(partition, first, next, entries);
    if (!applied) return this.fenced(partition);
    metrics.seconds.observe((performance.now() - startedAt) / 1000);
    metrics.stored.inc(applied.inserted);
    metrics.duplicates.inc(entries.length - applied.inserted);
    progress.advance(partition, next);
    return null;
  }

  /** Somebody else has written: go on where the database is now. */
  private async fenced(partition: number): Promise<bigint> {
    const { batches, metrics, progress, fatal } = this.parts;
    metrics.fenced.inc();
    const state = await batches.progress(partition);
    try {
      const next = this.checkedNext(partition, state);
      progress.reset(partition, next);
      return next;
    } catch (error) {
      if (error instanceof LogMismatchError) fatal(error);
      throw error;
    }
  }

  private checkedNext(partition: number, state: { epoch: number; next: bigint } | null): bigint {
    const { topic, epoch } = this.parts.log;
    if (state?.epoch === epoch) return state.next;
    throw new LogMismatchError(
      `${topic}/${partition} is in epoch ${state?.epoch ?? 'none'} now, but this process started ` +
        `in epoch ${epoch}: the epoch is raised only while all services are stopped`,
    );
  }

  private async buryEntry(record: LogRecord, error: unknown): Promise<void> {
    if (!(error instanceof UnusableItem)) {
      return this.bury(record, `PostgreSQL ${sqlState(error)}: ${String(error)}`);
    }
    await this.bury(record, `applying it threw: ${String(error.cause)}`);
    this.parts.defects.noteRecord(record, error.cause);
  }

  private async bury(record: LogRecord, reason: string): Promise<void> {
    const { deadLetter, metrics, logger } = this.parts;
    await deadLetter(record, reason);
    metrics.deadLetters.inc();
    const { topic, partition, offset } = record;
    logger.error(
      { topic, partition, offset: String(offset), reason },
      'a record was dead-lettered',
    );
  }

  private ignore(record: LogRecord, why: 'epoch' | 'type'): void {
    const { metrics, logger, log } = this.parts;
    if (why === 'type') return metrics.unknownType.inc();
    metrics.otherEpoch.inc();
    if (this.epochReported) return;
    this.epochReported = true;
    logger.warn({ epoch: log.epoch, of: record.epoch }, 'records of another epoch are ignored');
  }

  private retry(partition: number, from: bigint, error: unknown): HandleOutcome {
    const { metrics, logger } = this.parts;
    const failures = (this.failures.get(partition) ?? 0) + 1;
    this.failures.set(partition, failures);
    metrics.retries.inc();
    if (failures === 1) logger.warn({ err: error, partition }, 'a batch waits for the database');
    const retryAfterMs = backoffCeiling(RETRY, failures);
    return { retryAfterMs, from };
  }
}
