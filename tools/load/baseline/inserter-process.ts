import type { KafkaMessage } from 'kafkajs';
import { Pool } from 'pg';
import {
  type ProcessStart,
  type Started,
  type Topology,
  kafkaClient,
  runProcess,
} from './topology';

interface Record {
  conversationId: string;
  messageId: string;
  senderId: string;
  content: object;
  sentAt: string;
}

const FETCH_BYTES = 64 * 1024;
const FETCH_WAIT_MS = 30;

/** Archive of the bare pipeline: log → batches into PostgreSQL. */
async function start({ topology }: ProcessStart): Promise<Started> {
  const pool = new Pool({ connectionString: topology.databaseUrl, max: topology.partitions });
  const consumer = kafkaClient(topology, 'bare-inserter').consumer({
    groupId: topology.inserterGroup,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    minBytes: FETCH_BYTES,
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
    eachBatch: async ({ batch }) => insert(pool, topology, batch.partition, batch.messages),
  });
  await joined;
  const stop = async (): Promise<void> => {
    await consumer.disconnect();
    await pool.end();
  };
  return { ready: {}, stop };
}

async function insert(
  pool: Pool,
  topology: Topology,
  partition: number,
  messages: readonly KafkaMessage[],
): Promise<void> {
  const records = messages.map(
    (message) => JSON.parse(message.value?.toString() ?? '{}') as Record,
  );
  const last = messages[messages.length - 1];
  if (!last) return;
  const client = await pool.connect();
  try {
    await client.query('BEGIN; SET LOCAL synchronous_commit = off');
    await client.query({
      name: 'insert',
      text: `INSERT INTO ${topology.messagesTable}
        (conversation_id, message_id, position, sender_id, sent_at, content)
        SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::text[])
        ON CONFLICT DO NOTHING`,
      values: [
        records.map(({ conversationId }) => conversationId),
        records.map(({ messageId }) => messageId),
        messages.map(({ offset }) => offset),
        records.map(({ senderId }) => senderId),
        records.map(({ sentAt }) => sentAt),
        records.map(({ content }) => JSON.stringify(content)),
      ],
    });
    await client.query(`UPDATE ${topology.progressTable} SET next = $1 WHERE partition = $2`, [
      Number(last.offset) + 1,
      partition,
    ]);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

runProcess(start);
