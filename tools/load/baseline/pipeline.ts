import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { giveWay } from '../../stack/child';
import type { LoadOptions } from '../args';
import type { ConversationPlan, DevicePlan } from '../generator/protocol';
import { type Pipeline, spreadPairs } from '../pipeline';
import { type BareKind, startedAs } from './started-as';
import type { Target } from '../target';
import {
  type ProcessReady,
  type ProcessStart,
  type Topology,
  conversationOf,
  kafkaClient,
} from './topology';

const GATEWAYS = 2;
/** As many as the product's topics have by default. */
const PARTITIONS = 8;
const READY_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 5000;
const ATTEMPTS = 20;
const RETRY_MS = 250;

/** The bare pipeline, running. */
interface Running {
  topology: Topology;
  children: { name: string; child: ChildProcess }[];
}

/**
 * Starts the bare pipeline on the target's servers: two socket servers, a router and an inserter,
 * built only from the libraries, with a topic, tables and keys of its own that `stop` removes.
 */
export async function openBaseline(target: Target, options: LoadOptions): Promise<Pipeline> {
  const topology = topologyFor(target);
  const running: Running = { topology, children: [] };
  try {
    await prepare(topology);
    const started = await Promise.all([
      ...Array.from({ length: GATEWAYS }, (_, gateway) =>
        launch(running, 'gateway', `bare-gateway-${gateway + 1}`, gateway),
      ),
      launch(running, 'router', 'bare-router', 0),
      launch(running, 'inserter', 'bare-inserter', 0),
    ]);
    const socketUrls = started.flatMap(({ url }) => (url === undefined ? [] : [url]));
    const { devices, conversations } = population(options.users);
    return {
      subject: 'baseline',
      entrance: { kind: 'direct', socketUrls },
      devices,
      conversations,
      store: {
        databaseUrl: topology.databaseUrl,
        progressSql: `SELECT partition, 0 AS base, next FROM ${topology.progressTable}`,
        messagesSql: `SELECT m.conversation_id, m.message_id, m.position
          FROM unnest($1::text[], $2::bigint[]) AS wanted (id, lowest)
          JOIN ${topology.messagesTable} m ON m.conversation_id = wanted.id AND m.position >= wanted.lowest`,
      },
      processes: [
        ...running.children.map(({ name, child }) => ({ name, pid: child.pid ?? 0 })),
        ...target.servers,
      ],
      historyUrls: [],
      footprint: null,
      lag: null,
      stop: () => stop(running),
    };
  } catch (error) {
    await stop(running);
    throw error;
  }
}

function topologyFor(target: Target): Topology {
  const name = `load_baseline_${randomBytes(4).toString('hex')}`;
  return {
    brokers: target.brokers.split(','),
    redisUrl: target.redisUrl,
    databaseUrl: target.databaseUrl,
    topic: name,
    partitions: PARTITIONS,
    routes: `${name}:routes`,
    inbox: `${name}:inbox:`,
    messagesTable: `${name}_messages`,
    progressTable: `${name}_progress`,
    routerGroup: `${name}-router`,
    inserterGroup: `${name}-inserter`,
  };
}

function population(users: number): {
  devices: DevicePlan[];
  conversations: ConversationPlan[];
} {
  const spread = spreadPairs(users / 2, GATEWAYS);
  const devices = spread.map((gateway, index): DevicePlan => {
    const userId = `u${index}`;
    return { userId, deviceId: userId, token: '', gateway };
  });
  const conversations = Array.from({ length: users / 2 }, (_, pair): ConversationPlan => {
    const [first, second] = [2 * pair, 2 * pair + 1];
    return { conversationId: conversationOf(`u${first}`, `u${second}`), devices: [first, second] };
  });
  return { devices, conversations };
}

async function prepare(topology: Topology): Promise<void> {
  await withDatabase(topology, async (client) => {
    await client.query(`CREATE TABLE ${topology.messagesTable} (
      conversation_id text COLLATE "C" NOT NULL, message_id uuid NOT NULL, position bigint NOT NULL,
      sender_id text NOT NULL, sent_at timestamptz NOT NULL, content text NOT NULL,
      PRIMARY KEY (conversation_id, message_id), UNIQUE (conversation_id, position))`);
    await client.query(
      `CREATE TABLE ${topology.progressTable} (partition int PRIMARY KEY, next bigint NOT NULL)`,
    );
    await client.query(
      `INSERT INTO ${topology.progressTable} SELECT p, 0 FROM generate_series(0, $1 - 1) AS p`,
      [topology.partitions],
    );
  });
  const { topic, partitions: numPartitions } = topology;
  const admin = kafkaClient(topology, 'bare-admin').admin();
  await admin.connect();
  try {
    await retried(() => admin.createTopics({ topics: [{ topic, numPartitions }] }));
    // its leaders are known a moment after it was made
    await retried(() => admin.fetchTopicOffsets(topic));
  } finally {
    await admin.disconnect();
  }
}

async function launch(
  running: Running,
  kind: BareKind,
  name: string,
  gateway: number,
): Promise<ProcessReady> {
  const { execArgv, niceness } = startedAs(kind);
  // a session of its own, as the stack's processes have: Linux shares the CPU among sessions first
  const child = fork(join(__dirname, `${kind}-process.js`), [], { execArgv, detached: true });
  if (child.pid !== undefined) giveWay(child.pid, niceness);
  running.children.push({ name, child });
  const start: ProcessStart = { topology: running.topology, gateway };
  child.send(start);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name} is not ready`)), READY_TIMEOUT_MS);
    child.once('message', (ready: ProcessReady) => {
      clearTimeout(timer);
      resolve(ready);
    });
    child.once('exit', () => {
      clearTimeout(timer);
      reject(new Error(`${name} ended`));
    });
  });
}

/** Ends the processes, then removes topic, groups, keys and tables. Never rejects. */
async function stop({ topology, children }: Running): Promise<void> {
  await Promise.all(
    children.map(async ({ child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    }),
  );
  await Promise.allSettled([removeFromKafka(topology), removeKeys(topology), dropTables(topology)]);
}

async function removeFromKafka(topology: Topology): Promise<void> {
  const admin = kafkaClient(topology, 'bare-admin').admin();
  await admin.connect();
  try {
    await admin.deleteTopics({ topics: [topology.topic] });
    await admin.deleteGroups([topology.routerGroup, topology.inserterGroup]);
  } finally {
    await admin.disconnect();
  }
}

async function removeKeys(topology: Topology): Promise<void> {
  const redis = new Redis(topology.redisUrl);
  try {
    const inboxes = Array.from({ length: GATEWAYS }, (_, gateway) => topology.inbox + gateway);
    await redis.del(topology.routes, ...inboxes);
  } finally {
    redis.disconnect();
  }
}

async function dropTables(topology: Topology): Promise<void> {
  await withDatabase(topology, async (client) => {
    await client.query(`DROP TABLE IF EXISTS ${topology.messagesTable}, ${topology.progressTable}`);
  });
}

async function withDatabase(
  topology: Topology,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({ connectionString: topology.databaseUrl });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** Kafka's controller answers "not yet" for a moment after changes. */
async function retried(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await delay(RETRY_MS);
    }
  }
}
