import { GROUPS } from '@tidings/common/log-events/topics';
import { calmTrouble } from '@tidings/common/kafka/wire/calm-log';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogConsumerStrategy, type MemberStore } from '@tidings/common/kafka/consumer/log-consumer';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Database } from '../database/database';
import { BatchRepository } from '../messages/batch.repository';
import { BatchWriter } from '../messages/batch-writer';
import { LagMetrics, WriterMetrics } from '../messages/writer-metrics';
import { checkBounds, loadLogState, type LogState, readApplied } from './log-state';
import { Progress } from './progress';

/** Partitions whose batches are handled at the same time: all of a fetch share a statement. */
const CONCURRENT_PARTITIONS = 64;
/** Connections for applying: one statement at a time, and what is asked beside it. */
export const APPLY_CONNECTIONS = 3;
/** A batch is worth waiting for: halves the cost per message at low rates. Milliseconds and bytes. */
const MAX_WAIT_MS = 25;
const MIN_BYTES = 256 * 1024;
const FLUSH_MS = 2_000;

/** What the log is opened with. */
export interface OpenLogOptions {
  kafka: KafkaClient;
  nodeId: string;
  partitions: number;
  reads: Database;
  writes: Database;
  memberIds: MemberStore;
  logger: Logger;
  metrics: Metrics;
  defects: Defects;
  onFatal(error: Error): void;
}

/** The conversation log as this process uses it: reading it into PostgreSQL, appending own events. */
export class OpenLog {
  private constructor(
    readonly state: LogState,
    readonly progress: Progress,
    readonly writer: LogWriter,
    readonly batches: BatchWriter,
    readonly strategy: LogConsumerStrategy,
  ) {}

  /**
   * Checks that log and database fit (throws `LogMismatchError`) and connects the writer. The group
   * is joined later, when the strategy starts.
   */
  static async open(options: OpenLogOptions): Promise<OpenLog> {
    const { kafka, nodeId, partitions, reads, writes, logger, metrics, onFatal } = options;
    const log = await loadLogState(reads, partitions);
    const progress = new Progress(reads, log);
    const figures = new WriterMetrics(metrics);
    const batches = new BatchWriter({
      log,
      progress,
      logger,
      metrics: figures,
      batches: new BatchRepository(writes, log, () => figures.statements.inc()),
      defects: options.defects,
      deadLetter: (record, reason) => strategy.deadLetter(record, reason),
      fatal: onFatal,
    });
    const strategy = consumer(options, batches);
    try {
      const applied = await readApplied(reads, log.topic);
      const bounds = await strategy.offsets.logBounds(log.topic);
      applied.forEach((next, p) => checkBounds(log.topic, p, next, bounds[p]!));
    } catch (error) {
      strategy.offsets.close();
      throw error;
    }
    const writer = new LogWriter({
      kafka,
      partitions,
      topic: log.topic,
      source: nodeId,
      epoch: log.epoch,
      onError: (error) => options.defects.note('answer', error),
    });
    await writer.start();
    return new OpenLog(log, progress, writer, batches, strategy);
  }

  /** Lets waiting callers go and flushes own appends. The consumer is closed before. */
  async close(): Promise<void> {
    this.progress.stop();
    await this.writer.stop({ flushMs: FLUSH_MS });
  }
}

function consumer(options: OpenLogOptions, batches: BatchWriter): LogConsumerStrategy {
  const { kafka, logger, metrics, memberIds, onFatal } = options;
  const lag = new LagMetrics(metrics);
  return new LogConsumerStrategy({
    kafka,
    onFatal,
    lifecycle: batches,
    memberStore: memberIds,
    groupId: GROUPS.storageWriter,
    minBytes: MIN_BYTES,
    maxWaitTimeInMs: MAX_WAIT_MS,
    partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
    onBatch: (batch) => lag.seen(batch.partition, batch.lag),
    gapFound: ({ expected, found, ...gap }) =>
      logger.error(
        { ...gap, expected: String(expected), found: String(found) },
        'records are missing from the log: an operator has to decide',
      ),
    onError: calmTrouble(logger),
  });
}
