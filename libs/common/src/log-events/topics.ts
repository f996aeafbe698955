/** What a topic is created with. `config` holds Kafka topic settings as strings. */
export interface TopicSpec {
  name: string;
  partitions: number;
  replication: number;
  config: Record<string, string>;
}

/** Names of the topics; `.v1` is the version of their record format. */
export const TOPICS = {
  messages: 'chat.messages.v1',
  receipts: 'chat.receipts.v1',
  presence: 'chat.presence.v1',
  presenceChanges: 'chat.presence-changes.v1',
  signals: 'chat.signals.v1',
} as const;

/** Consumer groups, named by what they do, as Kafka's own tools show them. */
export const GROUPS = {
  sessionRouting: 'session-routing',
  storageWriter: 'storage-writer',
  sessionReceipts: 'session-receipts',
  sessionSignals: 'session-signals',
  storageReceipts: 'storage-receipts',
  presenceTracker: 'presence-tracker',
  sessionPresence: 'session-presence',
} as const;

export type GroupId = (typeof GROUPS)[keyof typeof GROUPS];
type TopicName = (typeof TOPICS)[keyof typeof TOPICS];

/** What each group consumes. */
export const GROUP_TOPICS: Readonly<Record<GroupId, TopicName>> = {
  [GROUPS.sessionRouting]: TOPICS.messages,
  [GROUPS.storageWriter]: TOPICS.messages,
  [GROUPS.sessionReceipts]: TOPICS.receipts,
  [GROUPS.sessionSignals]: TOPICS.signals,
  [GROUPS.storageReceipts]: TOPICS.receipts,
  [GROUPS.presenceTracker]: TOPICS.presence,
  [GROUPS.sessionPresence]: TOPICS.presenceChanges,
};

/** Name of the dead-letter topic of a topic and consumer group. */
export function deadLetterTopic(topic: string, group: string): string {
  return `${topic}.${group}.dlq`;
}

/** Whether a topic holds dead letters. */
export function isDeadLetterTopic(topic: string): boolean {
  return topic.endsWith('.dlq');
}

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Every topic of the project. Partition counts are fixed at creation and checked at each start: the
 * key determines the partition, so another count would break the order within conversations.
 */
export function topicSpecs(options: {
  /** Partitions of the conversation log and of the user-keyed topics. */
  partitions: number;
  replication: number;
  minInsyncReplicas: number;
}): TopicSpec[] {
  const safe = {
    'min.insync.replicas': String(options.minInsyncReplicas),
    'unclean.leader.election.enable': 'false',
    'cleanup.policy': 'delete',
  };
  const topic = (
    name: string,
    partitions: number,
    retentionMs: number,
    config: Record<string, string> = {},
  ): TopicSpec => ({
    name,
    partitions,
    replication: options.replication,
    config: { ...safe, 'retention.ms': String(retentionMs), 'retention.bytes': '-1', ...config },
  });
  const { partitions } = options;
  // old records leave within an hour of their time: the lifetimes of messages rely on it
  const hourly = { 'segment.ms': String(HOUR_MS) };
  return [
    // the broker's time: session's window of recent ids goes by it
    topic(TOPICS.messages, partitions, 7 * DAY_MS, {
      ...hourly,
      'message.timestamp.type': 'LogAppendTime',
    }),
    topic(TOPICS.receipts, partitions, DAY_MS),
    // the broker's time: the clocks of gateways differ, and ages are judged by it
    topic(TOPICS.presence, partitions, DAY_MS, { 'message.timestamp.type': 'LogAppendTime' }),
    topic(TOPICS.presenceChanges, partitions, DAY_MS),
    topic(TOPICS.signals, partitions, 10 * 60 * 1000, { 'segment.ms': String(10 * 60 * 1000) }),
    topic(deadLetterTopic(TOPICS.messages, GROUPS.storageWriter), 1, 30 * DAY_MS, hourly),
    topic(deadLetterTopic(TOPICS.messages, GROUPS.sessionRouting), 1, 30 * DAY_MS, hourly),
    topic(deadLetterTopic(TOPICS.receipts, GROUPS.storageReceipts), 1, 30 * DAY_MS),
    topic(deadLetterTopic(TOPICS.receipts, GROUPS.sessionReceipts), 1, 30 * DAY_MS),
    topic(deadLetterTopic(TOPICS.presence, GROUPS.presenceTracker), 1, 30 * DAY_MS),
  ];
}
