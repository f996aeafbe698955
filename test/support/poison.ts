import { DeadLetters } from '@tidings/common/kafka/consumer/dead-letters';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { decodeRecord, encodeHeaders } from '@tidings/common/log-events/record';

/** A record that a test appends past all writers. */
export interface Poison {
  topic: string;
  key: string;
  type: string;
  id: string;
  value: object | string;
}

function messageOf({ key, type, id, value }: Poison) {
  const time = new Date().toISOString();
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    key,
    value: text,
    headers: encodeHeaders({ type, id, time }, { source: 'test', epoch: 1 }),
  };
}

/** Appends a record as it is, also where no consumer takes it; gives its place, as operators name it. */
export async function append(
  kafka: KafkaClient,
  poison: Poison,
  partition?: number,
): Promise<string> {
  const producer = kafka.instance().producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    const { topic } = poison;
    const [at] = await producer.send({ topic, messages: [{ ...messageOf(poison), partition }] });
    return `${topic}/${at!.partition}/${at!.baseOffset}`;
  } finally {
    await producer.disconnect();
  }
}

/** Sets a record aside as a version of a service would that cannot read it yet. */
export async function setAside(
  kafka: KafkaClient,
  groupId: string,
  poison: Poison,
  place: { partition: number; offset: number; timestamp?: number },
): Promise<string> {
  const { key, value, headers } = messageOf(poison);
  const { partition, offset, timestamp = Date.now() } = place;
  const record = decodeRecord(poison.topic, partition, {
    offset: String(offset),
    timestamp: String(timestamp),
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers,
  });
  const letters = new DeadLetters(kafka, groupId);
  await letters.put(record, 'an earlier version could not read it');
  await letters.close();
  return `${poison.topic}/${partition}/${offset}`;
}
