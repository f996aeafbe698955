import { TOPICS } from '@tidings/common/contracts/topics';
import type { KafkaClient } from '@tidings/common/kafka/client';
import { LogWriter } from '@tidings/common/kafka/log-writer';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Membership } from '../send/membership';
import { TypingHandler } from './typing.handler';
import { TypingLog } from './typing-log';
import type { TypingMetrics } from './typing.metrics';

/** Signals that may wait for the log; more are dropped. */
const QUEUE = { queueRecords: 200, queueBytes: 128 * 1024 };

export interface TypingPartsOptions {
  kafka: KafkaClient;
  partitions: number;
  gatewayId: string;
  epoch: number;
  membership: Membership;
  metrics: TypingMetrics;
  logger: Logger;
  clock: () => number;
  wallClock: () => number;
}

/** The lane of typing: a writer of its own, so that it never delays messages. */
export class TypingParts {
  readonly handler: TypingHandler;
  private readonly writer: LogWriter;

  constructor(options: TypingPartsOptions) {
    const { kafka, partitions, gatewayId, epoch, metrics, logger } = options;
    this.writer = new LogWriter({
      kafka,
      partitions,
      epoch,
      source: gatewayId,
      limits: QUEUE,
      topic: TOPICS.signals,
      onError: (error: unknown) => logger.error({ err: error }, 'an append callback failed'),
      onStalled: (partition) => log.stalled(partition),
    });
    const log: TypingLog = new TypingLog({ ...options, writer: this.writer });
    const { membership, clock } = options;
    this.handler = new TypingHandler({ membership, log, metrics, clock });
  }

  start(): Promise<void> {
    return this.writer.start();
  }

  /** What is under way may still get to the log. */
  stop({ flushMs }: { flushMs: number }): Promise<void> {
    return this.writer.stop({ flushMs });
  }
}
