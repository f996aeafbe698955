import { ConfigResourceTypes, type DescribeConfigResponse, type ITopicMetadata } from 'kafkajs';
import type { TopicSpec } from '../../log-events/topics';
import { withAdmin } from './admin';
import type { KafkaClient } from './client';

/** One thing in which a topic is not as it should be. */
export interface TopicDifference {
  topic: string;
  /** `topic`: it does not exist; `partitions`, `replication`, or the name of one of Kafka's topic settings. */
  what: string;
  expected: string;
  /** What there is; null: nothing. */
  found: string | null;
}

/** A topic as Kafka has it; null: there is none. */
export type ActualTopic = Omit<TopicSpec, 'name'> | null;

/** Whether a difference is a setting, which can be set while everything runs. */
export function isSetting({ what }: TopicDifference): boolean {
  return !['topic', 'partitions', 'replication'].includes(what);
}

/**
 * What `prepare` expects of topics against what is: partitions, replicas, and each setting that a spec
 * names. Changes nothing. In the order of the specs.
 * @throws the error of kafkajs when no broker answers
 */
export async function topicDifferences(
  kafka: KafkaClient,
  specs: readonly TopicSpec[],
): Promise<TopicDifference[]> {
  const actual = await actualTopics(kafka, specs);
  return specs.flatMap((spec) => differencesOf(spec, actual.get(spec.name) ?? null));
}

/** The differences of one topic. */
export function differencesOf(spec: TopicSpec, actual: ActualTopic): TopicDifference[] {
  const differs = (what: string, expected: string, found: string | null): TopicDifference[] =>
    expected === found ? [] : [{ topic: spec.name, what, expected, found }];
  if (!actual) return differs('topic', 'exists', null);
  return [
    ...differs('partitions', String(spec.partitions), String(actual.partitions)),
    ...differs('replication', String(spec.replication), String(actual.replication)),
    ...Object.entries(spec.config).flatMap(([name, value]) =>
      differs(name, value, actual.config[name] ?? null),
    ),
  ];
}

/** Topics as they are; those that do not exist are left out. */
export function actualTopics(
  kafka: KafkaClient,
  specs: readonly TopicSpec[],
): Promise<Map<string, NonNullable<ActualTopic>>> {
  return withAdmin(kafka, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const names = specs.map(({ name }) => name).filter((name) => existing.has(name));
    if (names.length === 0) return new Map();
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    const configs = await admin.describeConfigs({
      includeSynonyms: false,
      resources: specs
        .filter(({ name }) => existing.has(name))
        .map(({ name, config }) => ({
          type: ConfigResourceTypes.TOPIC,
          name,
          configNames: Object.keys(config),
        })),
    });
    return new Map(topics.map((topic) => [topic.name, actualOf(topic, configs)]));
  });
}

function actualOf(topic: ITopicMetadata, configs: DescribeConfigResponse) {
  const resource = configs.resources.find(({ resourceName }) => resourceName === topic.name);
  return {
    partitions: topic.partitions.length,
    // a partition that is being moved has more for a while
    replication: Math.min(...topic.partitions.map(({ replicas }) => replicas.length)),
    config: Object.fromEntries(
      (resource?.configEntries ?? []).map(({ configName, configValue }) => [
        configName,
        configValue,
      ]),
    ),
  };
}
