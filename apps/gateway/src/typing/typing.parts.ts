import { TOPICS } from '@tidings/common/log-events/topics';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { Defects } from '@tidings/common/runtime/defects';
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
  defects: Pick<Defects, 'note'>;
  clock: () => number;
  wallClock: () => number;
}

/** The lane of typing: a writer of its own, so that it never delays messages. */
export class TypingParts {
  readonly handler: TypingHandler;
  private readonly writer: LogWriter;

  constructor(options: TypingPartsOptions) {
    const { kafka, partitions, gatewayId, epoch, metrics, defects } = options;
    this.writer = new LogWriter({
      kafka,
      partitions,
      epoch,
      source: gatewayId,
      limits: QUEUE,
      topic: TOPICS.signals,
      onError: (error: unknown) => defects.note('answer', error),
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
