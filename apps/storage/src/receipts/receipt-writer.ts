import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import { readReceipts } from '@tidings/common/log-events/receipt-batch';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import { applyOneByOne } from '@tidings/common/runtime/one-by-one';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Sql } from '../database/database';
import { raiseMarks } from './receipts.repository';
import { backoffCeiling } from '@tidings/common/runtime/waiting';

/** Members of one statement. */
const STATEMENT_MEMBERS = 1_000;
/** Pause after the nth failure in a row, in milliseconds. */
const RETRY = { baseMs: 50, maxMs: 1_000 };

/** What the receipt writer counts, per batch. */
export class ReceiptWriterMetrics {
  readonly read;
  readonly raised;
  readonly deadLetters;
  readonly retries;

  constructor(metrics: Metrics) {
    this.read = metrics.counter('storage_receipts_read_total', 'Records of the receipt log');
    this.raised = metrics.counter('storage_receipts_raised_total', 'Members whose marks rose');
    this.deadLetters = metrics.counter(
      'storage_receipts_dead_letters_total',
      'Receipts that can never be applied',
    );
    this.retries = metrics.counter(
      'storage_receipts_retries_total',
      'Batches of receipts that failed and wait',
    );
  }
}

export interface ReceiptWriterParts {
  sql: Sql;
  metrics: ReceiptWriterMetrics;
  logger: Logger;
  defects: Pick<Defects, 'note'>;
  /** Puts a record into the dead-letter topic; rejects when it is not there. */
  deadLetter: (record: LogRecord, reason: string) => Promise<void>;
}

/**
 * Writes watermarks into PostgreSQL, one statement per batch. The maximum is idempotent: a batch that
 * comes again, or from two instances at once, changes nothing more.
 */
export class ReceiptWriter {
  private readonly failures = new Map<number, number>();

  constructor(private readonly parts: ReceiptWriterParts) {}

  /** Applies a batch; never throws: what could not be applied is fetched again after a pause. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    try {
      const commit = await this.apply(batch);
      this.failures.delete(batch.partition);
      return { done: true, commit };
    } catch (error) {
      return this.retry(batch.partition, error);
    }
  }

  private async apply(batch: LogBatch): Promise<bigint> {
    const { sql, metrics, deadLetter, logger, defects } = this.parts;
    const { members, bad, next } = readReceipts(batch.records);
    for (const { record, reason } of bad) {
      await deadLetter(record, reason);
      metrics.deadLetters.inc();
      const { partition, offset } = record;
      logger.error({ partition, offset: String(offset), reason }, 'a receipt was dead-lettered');
    }
    for (let i = 0; i < members.length; i += STATEMENT_MEMBERS) {
      if (i > 0) await batch.heartbeat();
      await applyOneByOne(
        members.slice(i, i + STATEMENT_MEMBERS),
        async (some) => metrics.raised.inc(await raiseMarks(sql, some)),
        // a device says its marks again when it connects
        ({ conversationId }, error) => defects.note('record', error, { conversationId }),
      );
    }
    metrics.read.inc(Number(next - batch.firstOffset));
    return next;
  }

  private retry(partition: number, error: unknown): HandleOutcome {
    const failures = (this.failures.get(partition) ?? 0) + 1;
    this.failures.set(partition, failures);
    this.parts.metrics.retries.inc();
    if (failures === 1) this.parts.logger.warn({ err: error, partition }, 'receipts wait');
    return { retryAfterMs: backoffCeiling(RETRY, failures) };
  }
}
