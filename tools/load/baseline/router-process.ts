import { Redis } from 'ioredis';
import type { KafkaMessage } from 'kafkajs';
import {
  INBOX_ENTRIES,
  type ProcessStart,
  type Started,
  type Topology,
  kafkaClient,
  membersOf,
  runProcess,
} from './topology';

interface Record {
  conversationId: string;
  messageId: string;
  senderId: string;
  content: object;
  sentAt: string;
}

/** Router of the bare pipeline: log → one inbox entry per gateway and batch. */
async function start({ topology }: ProcessStart): Promise<Started> {
  const redis = new Redis(topology.redisUrl);
  const consumer = kafkaClient(topology, 'bare-router').consumer({
    groupId: topology.routerGroup,
    maxWaitTimeInMs: 200,
    minBytes: 1,
    allowAutoTopicCreation: false,
  });
  await consumer.connect();
  await consumer.subscribe({ topic: topology.topic, fromBeginning: true });
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve());
  });
  await consumer.run({
    autoCommitInterval: 1000,
    partitionsConsumedConcurrently: topology.partitions,
    eachBatch: async ({ batch }) => route(redis, topology, batch.messages),
  });
  await joined;
  const stop = async (): Promise<void> => {
    await consumer.disconnect();
    redis.disconnect();
  };
  return { ready: {}, stop };
}

async function route(
  redis: Redis,
  topology: Topology,
  messages: readonly KafkaMessage[],
): Promise<void> {
  const records = messages.map(
    (message) => JSON.parse(message.value?.toString() ?? '{}') as Record,
  );
  const users = [...new Set(records.flatMap(({ conversationId }) => membersOf(conversationId)))];
  const gateways = await redis.hmget(topology.routes, ...users);
  const gatewayOf = new Map(users.map((user, index) => [user, gateways[index]]));
  const entries = new Map<string, string[]>();
  records.forEach((record, index) => {
    const frame = encode(record, messages[index]!.offset);
    for (const user of membersOf(record.conversationId)) {
      const gateway = gatewayOf.get(user);
      if (gateway == null) continue;
      const fields = entries.get(gateway) ?? [];
      entries.set(gateway, fields);
      fields.push(user, frame);
    }
  });
  const appends = [...entries].map(([gateway, fields]) =>
    redis.xadd(topology.inbox + gateway, 'MAXLEN', '~', INBOX_ENTRIES, '*', ...fields),
  );
  await Promise.all(appends);
}

function encode(record: Record, offset: string): string {
  const { conversationId, messageId, senderId, content, sentAt } = record;
  return JSON.stringify({
    type: 'message',
    conversationId,
    position: offset,
    previous: null,
    messageId,
    senderId,
    content,
    sentAt,
  });
}

runProcess(start);
