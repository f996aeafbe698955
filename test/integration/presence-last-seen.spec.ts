import 'reflect-metadata';
import { EVENT_TYPES, type ConnectionOpened } from '@tidings/common/log-events/events';
import { PRESENCE_RPC } from '@tidings/common/rpc/calls';
import { deadLetterTopic, GROUPS, TOPICS, topicSpecs } from '@tidings/common/log-events/topics';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { ensureTopics } from '@tidings/common/kafka/wire/topics';
import { createRedis, redisReady, type RedisClient } from '@tidings/common/redis/client';
import { GatewayLease } from '@tidings/common/redis/lease';
import { loadEnv } from '@tidings/common/runtime/env';
import { Readiness } from '@tidings/common/runtime/health';
import { Lifecycle } from '@tidings/common/runtime/lifecycle';
import { Metrics } from '@tidings/common/runtime/metrics';
import { RpcClient } from '@tidings/common/rpc/rpc-client';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { Presence } from '../../apps/presence/src/presence';
import { LastSeenRepository } from '../../apps/presence/src/last-seen.repository';
import { presenceEnv } from '../../apps/presence/src/presence.env';
import { coordinatorReady, eventually, SECRET, silent } from './session-harness';
import { startServers, type Servers } from '../../tools/stack/servers';

const PARTITIONS = 3;

interface Running {
  url: string;
  readiness: Readiness;
  stop(): Promise<void>;
}

describe('presence', () => {
  let servers: Servers;
  let kafka: KafkaClient;
  let writer: LogWriter;
  let redis: RedisClient;
  let leases: GatewayLease;
  let client: RpcClient<typeof PRESENCE_RPC>;
  let running: Running[];
  const fatal: Error[] = [];

  beforeAll(async () => {
    servers = await startServers();
    kafka = createKafka({ brokers: [servers.brokers], clientId: 'test' });
    await ensureTopics(
      kafka,
      topicSpecs({ partitions: PARTITIONS, replication: 1, minInsyncReplicas: 1 }),
    );
    await coordinatorReady(kafka, GROUPS.presenceTracker, TOPICS.presence);
    writer = new LogWriter({
      kafka,
      topic: TOPICS.presence,
      partitions: PARTITIONS,
      source: 'gateway-1',
      epoch: 1,
    });
    redis = createRedis(servers.redisUrl, { name: 'test', log: silent });
    await Promise.all([writer.start(), redisReady(redis, 10_000)]);
    leases = new GatewayLease(redis);
    await leases.claim('gateway-1', 'boot-1', 600_000);
    running = await Promise.all(['presence-1', 'presence-2'].map(start));
    client = new RpcClient(PRESENCE_RPC, {
      urls: running.map((one) => one.url),
      nodeId: 'test',
      secret: SECRET,
    });
  }, 240_000);

  afterAll(async () => {
    client?.close();
    await Promise.all(running?.map((one) => one.stop()) ?? []);
    await writer?.stop({ flushMs: 1_000 });
    redis?.disconnect();
    await servers?.stop();
  });

  async function start(nodeId: string): Promise<Running> {
    const env = loadEnv(presenceEnv, {
      NODE_ID: nodeId,
      PORT: '0',
      CLUSTER_SECRET: SECRET,
      KAFKA_BROKERS: servers.brokers,
      KAFKA_PARTITIONS: String(PARTITIONS),
      REDIS_URL: servers.redisUrl,
      DATABASE_URL: servers.databaseUrl,
      DATABASE_POOL: '4',
      PRESENCE_GRACE_SECONDS: '2',
    });
    const readiness = new Readiness();
    const metrics = new Metrics({ service: 'presence', node: nodeId });
    const onFatal = (error: Error): void => void fatal.push(error);
    const presence = new Presence({ env, logger: silent, metrics, readiness, onFatal });
    const lifecycle = new Lifecycle(silent);
    await lifecycle.start(presence.steps());
    readiness.set(true);
    await eventually(() => Object.keys(readiness.problems()).length === 0);
    return { url: presence.url, readiness, stop: () => lifecycle.stop() };
  }

  function append(type: string, key: string, value: unknown): Promise<void> {
    const time = new Date().toISOString();
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return new Promise((resolve, reject) => {
      const record = { key, type, id: randomUUID(), time, value: text };
      const taken = writer.append(record, (result) =>
        result.ok ? resolve() : reject(new Error(result.reason)),
      );
      if (!taken) reject(new Error('busy'));
    });
  }

  function happened(kind: 'opened' | 'closed', userId: string, over: object = {}): Promise<void> {
    const opened: ConnectionOpened = {
      userId,
      deviceId: userId,
      connectionId: 'c',
      gatewayId: 'gateway-1',
      bootId: 'boot-1',
      generation: '1',
      at: new Date().toISOString(),
      ...over,
    };
    return kind === 'opened'
      ? append(EVENT_TYPES.connectionOpened, userId, opened)
      : append(EVENT_TYPES.connectionClosed, userId, { reason: 'client', ...opened });
  }

  /** Records that the group has not committed. */
  async function uncommitted(): Promise<number> {
    const offsets = new LogOffsets(kafka);
    const committed = await offsets.fetchGroupOffsets(GROUPS.presenceTracker, TOPICS.presence);
    const bounds = await offsets.logBounds(TOPICS.presence);
    offsets.close();
    return bounds.reduce((sum, { high }, i) => sum + Number(high - (committed[i] ?? 0n)), 0);
  }

  const get = async (...userIds: string[]) =>
    (await client.call('presence.get', { viewerId: randomUUID(), userIds })).items;
  const statusOf = async (userId: string) => (await get(userId))[0]!.status;
  const database = async <R extends object>(text: string, values: unknown[] = []) => {
    const client = new Client(servers.databaseUrl);
    await client.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  };
  /** Last seen, as the database has it, of those whom it knows. */
  const kept = async (userIds: readonly string[]) => {
    const rows = await database<{ user_id: string; last_seen_at: Date }>(
      'SELECT user_id, last_seen_at FROM presence.last_seen WHERE user_id = ANY($1::uuid[])',
      [userIds],
    );
    return new Map(rows.map((row) => [row.user_id, row.last_seen_at.toISOString()]));
  };

  it('both instances share one schema, made by whoever came first', async () => {
    expect(await database('SELECT name FROM presence.migrations')).toHaveLength(1);
  });

  it('tells who is there, and keeps the last sign of life of many users within seconds', async () => {
    const users = Array.from({ length: 300 }, () => randomUUID());
    const before = Date.now();
    await Promise.all(users.map((userId) => happened('opened', userId)));
    await eventually(async () => (await get(...users)).every((one) => one.status === 'online'));
    await Promise.all(users.map((userId) => happened('closed', userId)));
    await eventually(async () => (await get(...users)).every((one) => one.status === 'offline'));
    const told = await get(...users);
    for (const { lastSeenAt, version } of told) {
      expect(Date.parse(lastSeenAt!)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(lastSeenAt!)).toBeLessThanOrEqual(Date.now());
      expect(version / 1_000).toBeGreaterThanOrEqual(before);
    }
    await eventually(async () => {
      const rows = await kept(users);
      return told.every(({ userId, lastSeenAt }) => rows.get(userId) === lastSeenAt);
    });
  });

  it('awaits whose connection or gateway is lost, and gives them up from the last sign of life', async () => {
    const [broken, orphan, stays, never] = Array.from({ length: 4 }, () => randomUUID()) as [
      string,
      string,
      string,
      string,
    ];
    await leases.claim('gateway-2', 'boot-2', 60_000);
    await happened('opened', broken);
    await happened('opened', orphan, { gatewayId: 'gateway-2', bootId: 'boot-2' });
    await happened('opened', stays, { gatewayId: 'gateway-2', bootId: 'boot-2' });
    const statuses = async () => (await get(broken, orphan, stays, never)).map((one) => one.status);
    await eventually(async () => String(await statuses()) === 'online,online,online,offline');
    await happened('closed', broken, { reason: 'lost' });
    await leases.release('gateway-2', 'boot-2');
    const [aliveAt] = await leases.lastAlive([{ gatewayId: 'gateway-2', bootId: 'boot-2' }]);
    await happened('opened', stays, { generation: '2' });
    expect(await statuses()).toEqual(['online', 'online', 'online', 'offline']);
    await eventually(async () => String(await statuses()) === 'offline,offline,online,offline');
    const [, lost, , nobody] = await get(broken, orphan, stays, never);
    expect(Date.parse(lost!.lastSeenAt!)).toBeGreaterThanOrEqual(aliveAt!);
    expect(nobody).toMatchObject({ status: 'offline', lastSeenAt: null, activeAt: null });
  });

  it('puts aside what it can not read and goes on', async () => {
    const userId = randomUUID();
    const offsets = new LogOffsets(kafka);
    const topic = deadLetterTopic(TOPICS.presence, GROUPS.presenceTracker);
    await append(EVENT_TYPES.connectionOpened, userId, 'not json');
    await append(EVENT_TYPES.connectionClosed, userId, { userId });
    await append('tidings.connection.newer.v1', userId, {});
    await happened('opened', userId);
    await eventually(async () => (await statusOf(userId)) === 'online');
    await eventually(async () => (await offsets.logBounds(topic))[0]!.high === 2n);
    offsets.close();
  });

  it('sets one user aside whom the database cannot take, and keeps those around', async () => {
    const [bad, ...good] = Array.from({ length: 5 }, () => randomUUID());
    const original = LastSeenRepository.prototype.raise;
    // what PostgreSQL says of a value that it cannot take
    const refused = Object.assign(new Error('out of range'), { code: '22008' });
    const step = jest.spyOn(LastSeenRepository.prototype, 'raise').mockImplementation(function (
      this: LastSeenRepository,
      clocks,
    ) {
      const refuses = clocks.some(({ userId }) => userId === bad);
      return refuses ? Promise.reject(refused) : original.call(this, clocks);
    });
    try {
      await Promise.all([bad!, ...good].map((userId) => happened('opened', userId)));
      await eventually(async () => (await kept(good)).size === good.length);
      expect((await kept([bad!])).size).toBe(0);
    } finally {
      step.mockRestore();
    }
  });

  it('goes on without PostgreSQL, and has lost nothing when it is back', async () => {
    const [userId, stranger] = [randomUUID(), randomUUID()];
    await servers.postgres.kill('SIGQUIT');
    await happened('opened', userId);
    // of whom nothing is stored yet, only the database could tell
    await eventually(async () => (await statusOf(userId).catch(() => null)) === 'online');
    await expect(get(stranger)).rejects.toMatchObject({ code: 'unavailable' });
    await eventually(() => running.every((one) => 'database' in one.readiness.problems()));
    await eventually(async () => (await uncommitted()) === 0);
    await servers.postgres.restart();
    await eventually(async () => (await kept([userId]).catch(() => new Map())).size === 1);
    await eventually(() =>
      running.every((one) => Object.keys(one.readiness.problems()).length === 0),
    );
  });

  it('shows nobody as away whose gateway comes back to an emptied Redis', async () => {
    const [here, gone] = [randomUUID(), randomUUID()];
    const connects = async (bootId: string, over: object = {}): Promise<void> => {
      await redisReady(redis, 10_000);
      await leases.claim('gateway-3', bootId, 60_000);
      await happened('opened', here, { gatewayId: 'gateway-3', bootId, ...over });
    };
    await connects('boot-1');
    await happened('opened', gone);
    await eventually(async () => (await statusOf(gone)) === 'online');
    await happened('closed', gone);
    const shown = new Set<string>();
    const look = (): Promise<string> => {
      const status = get(here).then(([one]) => one!.status);
      return status.catch((error: { code: string }) => error.code).then((s) => (shown.add(s), s));
    };
    await eventually(async () => (await look()) === 'online');
    await eventually(async () => (await kept([gone])).size === 1);
    await servers.redis.kill();
    await servers.redis.restartEmpty();
    // as long as a gateway may take that found out late
    const back = new Promise((resolve) => setTimeout(resolve, 2_000)).then(() =>
      connects('boot-2', { again: true, activeMsAgo: 3_000 }),
    );
    await eventually(async () => (await look()) === 'unavailable');
    await eventually(async () => (await look()) === 'online');
    await back;
    expect(shown).toEqual(new Set(['online', 'unavailable']));
    // of another partition, perhaps
    await eventually(async () => (await statusOf(gone).catch(() => null)) === 'offline');
    const [item] = await get(gone);
    expect(item!.lastSeenAt).toBe((await kept([gone])).get(gone));
  });

  it('says so while Redis is away, and goes on with one instance', async () => {
    const userId = randomUUID();
    await servers.redis.kill();
    await expect(get(userId)).rejects.toMatchObject({ code: 'unavailable' });
    await servers.redis.restart();
    await running[0]!.stop();
    await redisReady(redis, 10_000);
    await leases.claim('gateway-1', 'boot-1', 600_000);
    await happened('opened', userId);
    await eventually(async () => (await statusOf(userId).catch(() => null)) === 'online');
    expect(fatal).toEqual([]);
  });
});
