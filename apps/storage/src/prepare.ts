import { TOPICS } from '@tidings/common/log-events/topics';
import { createKafka } from '@tidings/common/kafka/wire/client';
import {
  isSetting,
  topicDifferences,
  type TopicDifference,
} from '@tidings/common/kafka/wire/topic-differences';
import { repairTopics } from '@tidings/common/kafka/wire/topic-repair';
import { ensureTopics, specsOf } from '@tidings/common/kafka/wire/topics';
import { refuseLostCommits } from '@tidings/common/runtime/durability';
import type { Logger } from '@tidings/common/runtime/logger';
import { Database } from './database/database';
import { migrate, waitForDatabase } from './database/schema';
import { createProgress, loadLogState } from './log/log-state';
import type { ToolEnv } from './storage.env';

/** How long PostgreSQL and Kafka may take to answer, in milliseconds. */
const WITHIN_MS = 60_000;

/**
 * Makes everything that the services need: the schema, the topics, the progress rows of a new log.
 * What exists is compared and left as it is, unless `repair` says to set what differs; running it again
 * is safe.
 */
export async function prepare(
  env: ToolEnv,
  logger: Logger,
  { repair = false }: { repair?: boolean } = {},
): Promise<void> {
  const dataSource = await waitForDatabase(env.DATABASE_URL, env.NODE_ID, WITHIN_MS);
  try {
    if (env.NODE_ENV === 'production') await refuseLostCommits((text) => dataSource.query(text));
    await migrate(dataSource);
  } finally {
    await dataSource.destroy();
  }
  const partitions = env.KAFKA_PARTITIONS;
  const kafka = createKafka({ brokers: env.KAFKA_BROKERS, clientId: env.NODE_ID });
  const specs = specsOf(env);
  await ensureTopics(kafka, specs, { timeoutMs: WITHIN_MS });
  const differences = await topicDifferences(kafka, specs);
  const repaired = repair ? await repairTopics(kafka, specs, differences) : [];
  for (const one of differences) logger.warn(one, sentence(one, repaired.includes(one)));
  const options = { url: env.DATABASE_URL, name: env.NODE_ID, connections: 1 };
  const database = new Database(options, () => undefined);
  try {
    await createProgress(database, TOPICS.messages, partitions);
    await loadLogState(database, partitions);
  } finally {
    await database.close();
  }
  logger.info({ partitions }, 'schema, topics and log progress are ready');
}

/** What differs, and what becomes of it. */
function sentence(difference: TopicDifference, repaired: boolean): string {
  const { topic, what, expected, found } = difference;
  const text = `topic ${topic} has ${what} ${found ?? 'unset'}, not ${expected}`;
  if (repaired) return `${text}: it is set now`;
  if (isSetting(difference)) return `${text}: prepare --repair sets it`;
  return `${text}: copies are moved by kafka-reassign-partitions`;
}
