import { topicSpecs } from '@tidings/common/log-events/topics';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { ConfigResourceTypes } from 'kafkajs';

/** Settings of one of the project's topics: those that it is made with, and these instead of some of them. */
export async function changeTopic(
  kafka: KafkaClient,
  topic: string,
  settings: Record<string, string>,
): Promise<void> {
  const specs = topicSpecs({ partitions: 1, replication: 1, minInsyncReplicas: 1 });
  const made = specs.find(({ name }) => name === topic)?.config ?? {};
  const configEntries = Object.entries({ ...made, ...settings }).map(([name, value]) => ({
    name,
    value,
  }));
  const admin = kafka.instance().admin();
  await admin.connect();
  try {
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
    });
  } finally {
    await admin.disconnect();
  }
}
