import type { TopicSpec } from '@tidings/common/log-events/topics';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import type { LogRecord } from '@tidings/common/log-events/record';
import { decodeRecord } from '@tidings/common/log-events/record';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';

/** Settings of a topic for a test: one replica, no other wishes. */
export function testTopic(name: string, partitions: number, config = {}): TopicSpec {
  return { name, partitions, replication: 1, config };
}

/** Reads a topic from its start to the end that it has now, per partition in order. */
export async function readTopic(kafka: KafkaClient, topic: string): Promise<LogRecord[][]> {
  const offsets = new LogOffsets(kafka);
  const bounds = await offsets.logBounds(topic);
  offsets.close();
  const records: LogRecord[][] = bounds.map(() => []);
  const missing = () =>
    bounds.some(
      ({ high, low }, p) => high > low && (records[p]!.at(-1)?.offset ?? -1n) < high - 1n,
    );
  if (!missing()) return records;
  const consumer = kafka.instance().consumer({ groupId: `reader-${process.hrtime.bigint()}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${topic} could not be read`)), 60_000);
    const eachBatch = async ({ batch }: { batch: Batch }) => {
      for (const message of batch.messages) {
        records[batch.partition]!.push(decodeRecord(topic, batch.partition, message));
      }
      if (missing()) return;
      clearTimeout(timer);
      resolve();
    };
    consumer.run({ autoCommit: false, eachBatch }).catch(reject);
  });
  await consumer.disconnect();
  return records;
}

interface Batch {
  partition: number;
  messages: Parameters<typeof decodeRecord>[2][];
}
