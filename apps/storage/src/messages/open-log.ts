import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Service } from '@tidings/common/runtime/service';
import type { Database } from '../database/database';
import { BatchRepository } from './batch.repository';
import { BatchWriter } from './batch-writer';
import { WriterMetrics } from './writer-metrics';
import { logConsumer } from './messages.consumer';
import { checkBounds, type LogState, readApplied } from '../log/log-state';
import { Progress } from '../log/progress';

/** Connections for applying: one statement at a time, and what is asked beside it. */
export const APPLY_CONNECTIONS = 3;
const FLUSH_MS = 2_000;

/** What the log is opened with. */
export interface OpenLogOptions {
  service: Service;
  nodeId: string;
  log: LogState;
  reads: Database;
  writes: Database;
  logger: Logger;
  metrics: Metrics;
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
    const { service, nodeId, log, reads, writes, logger, metrics, onFatal } = options;
    const { partitions } = log;
    const { kafka, defects } = service;
    const progress = new Progress(reads, log);
    const figures = new WriterMetrics(metrics);
    const batches = new BatchWriter({
      log,
      progress,
      logger,
      metrics: figures,
      batches: new BatchRepository(writes, log, () => figures.statements.inc()),
      defects,
      deadLetter: (record, reason) => strategy.deadLetter(record, reason),
      fatal: onFatal,
    });
    const strategy: LogConsumerStrategy = logConsumer(service, metrics, batches);
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
      onError: (error) => defects.note('answer', error),
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
