import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { GatewayContext } from '../gateway.context';
import { ReadBarrier } from '../sync/read-barrier';

/** Sends that may wait for the log: what a client's patience of 10 s is worth. */
export const SEND_QUEUE = { queueRecords: 5_000, queueBytes: 16 * 1024 * 1024 };
/** Presence events that may wait for the log; more are dropped. They are in no hurry: many go at once. */
const PRESENCE_QUEUE = { queueRecords: 1_000, queueBytes: 1024 * 1024, linger: 50 };
/** Receipts that may wait for the log; beyond that the latest of each device waits outside. */
const RECEIPT_QUEUE = { queueRecords: 2_000, queueBytes: 1024 * 1024 };

export type LogParts = ReturnType<typeof makeLogs>;

/**
 * What goes to Kafka and what is asked there. `stalled`: told when a partition takes no messages.
 */
export function makeLogs(context: GatewayContext, stalled: (partition: number) => void) {
  const { env, backends, positions, metrics, gatewayId, defects } = context;
  const { kafka } = backends;
  const writer = (topic: string, limits: object, more: object = {}): LogWriter =>
    new LogWriter({
      kafka,
      topic,
      limits,
      partitions: env.KAFKA_PARTITIONS,
      source: gatewayId,
      epoch: positions.epoch,
      onError: (error: unknown) => defects.note('answer', error),
      ...more,
    });
  const watermarks = new Watermarks(kafka, TOPICS.messages);
  /** One for messages. Each has connections and a queue of its own. */
  const messageWriter = (onStalled: (partition: number) => void): LogWriter =>
    writer(TOPICS.messages, SEND_QUEUE, { ...metrics.writerHooks(), onStalled });
  return {
    messageWriter,
    watermarks,
    barrier: new ReadBarrier(watermarks),
    messages: messageWriter(stalled),
    receipts: writer(TOPICS.receipts, RECEIPT_QUEUE),
    presence: writer(TOPICS.presence, PRESENCE_QUEUE),
  };
}
