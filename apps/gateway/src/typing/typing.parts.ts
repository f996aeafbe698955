import { TOPICS } from '@tidings/common/log-events/topics';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { GatewayContext } from '../gateway.context';
import type { Membership } from '../members/membership';
import { TypingHandler } from './typing.handler';
import { TypingLog } from './typing-log';

/** Signals that may wait for the log; more are dropped. */
const QUEUE = { queueRecords: 200, queueBytes: 128 * 1024 };

/** The lane of typing: a writer of its own, so that it never delays messages. */
export class TypingParts {
  readonly handler: TypingHandler;
  private readonly writer: LogWriter;

  constructor(context: GatewayContext, membership: Membership) {
    const { env, backends, positions, gatewayId, defects, clock, wallClock, lanes } = context;
    const metrics = context.metrics.typing;
    this.writer = new LogWriter({
      kafka: backends.kafka,
      partitions: env.KAFKA_PARTITIONS,
      epoch: positions.epoch,
      source: gatewayId,
      limits: QUEUE,
      topic: TOPICS.signals,
      onError: (error: unknown) => defects.note('answer', error),
      onStalled: (partition) => log.stalled(partition),
    });
    const log: TypingLog = new TypingLog({ metrics, wallClock, writer: this.writer });
    this.handler = new TypingHandler({ membership, log, metrics, clock, lanes });
  }

  start(): Promise<void> {
    return this.writer.start();
  }

  /** What is under way may still get to the log. */
  stop({ flushMs }: { flushMs: number }): Promise<void> {
    return this.writer.stop({ flushMs });
  }
}
