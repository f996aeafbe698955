import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { deadLetterTopic, GROUPS, TOPICS, topicSpecs } from '@tidings/common/log-events/topics';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { FIRST_BASE, FIRST_EPOCH, LogState } from '../../../apps/storage/src/log/log-state';
import { decodeEntry } from '../../../apps/storage/src/messages/record-decoder';
import type { Stack } from '../../../tools/stack/stack';
import { eventually } from '../../support/eventually';
import { readTopic } from '../../support/kafka-topic';

const CONSUMED_WITHIN_MS = 30_000;

/** What the conversation log of a stack holds, and what its consumers made of their topics. */
export interface LogLook {
  records: number;
  /** Ids of the messages that were sent, each once. */
  messageIds: Set<string>;
  /** Records that storage cannot apply, and why. */
  unreadable: string[];
  /** Where the dead-letter topics end: one offset each, after all consumers came to their ends. */
  deadLetters: bigint[];
}

const names = topicSpecs({ partitions: 1, replication: 1, minInsyncReplicas: 1 }).map(
  ({ name }) => name,
);
/** Consumers that have a dead-letter topic. */
const CONSUMERS = Object.values(TOPICS).flatMap((topic) =>
  Object.values(GROUPS)
    .map((group) => ({ topic, group, dead: deadLetterTopic(topic, group) }))
    .filter(({ dead }) => names.includes(dead)),
);

/** Reads the whole conversation log as storage does, and asks every consumer what it could not take. */
export async function lookAtLog(stack: Stack): Promise<LogLook> {
  const kafka = createKafka({ brokers: stack.brokers.split(','), clientId: 'look-at-log' });
  const offsets = new LogOffsets(kafka);
  try {
    const deadLetters = await Promise.all(
      CONSUMERS.map((consumer) => endOfDeadLetters(offsets, consumer)),
    );
    return { ...(await readLog(kafka)), deadLetters: deadLetters.flat() };
  } finally {
    offsets.close();
  }
}

async function endOfDeadLetters(
  offsets: LogOffsets,
  { topic, group, dead }: (typeof CONSUMERS)[number],
): Promise<bigint[]> {
  await eventually(async () => {
    const [bounds, committed] = await Promise.all([
      offsets.logBounds(topic),
      offsets.fetchGroupOffsets(group, topic),
    ]);
    const open = bounds.filter(({ high }, p) => high > (committed[p] ?? 0n));
    if (open.length > 0) throw new Error(`${group} has not read all of ${topic}`);
  }, CONSUMED_WITHIN_MS);
  return (await offsets.logBounds(dead)).map(({ high }) => high);
}

async function readLog(kafka: KafkaClient): Promise<Omit<LogLook, 'deadLetters'>> {
  const partitions = await readTopic(kafka, TOPICS.messages);
  const bases = partitions.map(() => FIRST_BASE);
  const log = new LogState(TOPICS.messages, FIRST_EPOCH, bases);
  const messageIds = new Set<string>();
  const unreadable: string[] = [];
  const records = partitions.flat();
  for (const record of records) {
    const decoded = decodeEntry(record, log);
    if (decoded.kind === 'entry' || decoded.kind === 'change') {
      if (record.type === EVENT_TYPES.messageSent) messageIds.add(record.id);
      continue;
    }
    const why = decoded.kind === 'poison' ? decoded.reason : `of another ${decoded.why}`;
    unreadable.push(`${record.partition}@${record.offset}: ${why}`);
  }
  return { records: records.length, messageIds, unreadable };
}
