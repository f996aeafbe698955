import { ConfigResourceTypes, ConfigSource, type ConfigEntries } from 'kafkajs';
import type { TopicSpec } from '../../log-events/topics';
import { withAdmin } from './admin';
import type { KafkaClient } from './client';
import { isSetting, type TopicDifference } from './topic-differences';

/**
 * Sets the settings in which topics differ from their specs, while everything runs. What somebody else has
 * set for a topic stays: kafkajs replaces all settings of a topic at once. Gives what it has set; partitions
 * and replicas are left as they are.
 * @throws the error of kafkajs when no broker answers, or one refuses
 */
export async function repairTopics(
  kafka: KafkaClient,
  specs: readonly TopicSpec[],
  differences: readonly TopicDifference[],
): Promise<TopicDifference[]> {
  const wrong = differences.filter(isSetting);
  const names = new Set(wrong.map(({ topic }) => topic));
  const repaired = specs.filter(({ name }) => names.has(name));
  if (repaired.length === 0) return [];
  const type = ConfigResourceTypes.TOPIC;
  await withAdmin(kafka, async (admin) => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: repaired.map(({ name }) => ({ type, name })),
    });
    const own = (topic: string): ConfigEntries[] =>
      (resources.find(({ resourceName }) => resourceName === topic)?.configEntries ?? []).filter(
        ({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG,
      );
    await admin.alterConfigs({
      validateOnly: false,
      resources: repaired.map(({ name, config }) => {
        const kept = own(name).map(({ configName, configValue }) => [configName, configValue]);
        const all = { ...(Object.fromEntries(kept) as Record<string, string>), ...config };
        const configEntries = Object.entries(all).map(([key, value]) => ({ name: key, value }));
        return { type, name, configEntries };
      }),
    });
  });
  return wrong;
}
