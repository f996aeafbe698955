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
import { Routes } from '@tidings/common/redis/routes';
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
const NOW = Date.now();

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
  }, 60_000);

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

  function happened(kind: 'opened' | 'closed', userId: string, atMs: number): Promise<void> {
    const opened: ConnectionOpened = {
      userId,
      deviceId: randomUUID(),
      connectionId: randomUUID(),
      gatewayId: 'gateway-1',
      bootId: 'boot-1',
      generation: '1',
      at: new Date(atMs).toISOString(),
    };
    return kind === 'opened'
      ? append(EVENT_TYPES.connectionOpened, userId, opened)
      : append(EVENT_TYPES.connectionClosed, userId, { ...opened, reason: 'client' });
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
  const lastSeen = async (userId: string) => (await get(userId))[0]!.lastSeenAt;
  const iso = (ms: number) => new Date(ms).toISOString();

  it('both instances share one schema, made by whoever came first', async () => {
    const database = new Client(servers.databaseUrl);
    await database.connect();
    const { rows } = await database.query('SELECT name FROM presence.migrations');
    await database.end();
    expect(rows).toHaveLength(1);
  }, 120_000);

  it('keeps the last sign of life of many users, and never goes back', async () => {
    const users = Array.from({ length: 300 }, () => randomUUID());
    await Promise.all(
      users.flatMap((userId, i) => [
        happened('opened', userId, NOW - 60_000),
        happened('closed', userId, NOW - i),
      ]),
    );
    await eventually(async () =>
      (await get(...users)).every((p, i) => p.lastSeenAt === iso(NOW - i)),
    );
    await happened('closed', users[0]!, NOW - 3_600_000);
    await happened('closed', users[1]!, NOW + 3_600_000);
    await eventually(async () => (await lastSeen(users[1]!)) !== iso(NOW - 1));
    expect(Date.parse((await lastSeen(users[1]!))!)).toBeLessThanOrEqual(Date.now());
    expect(await lastSeen(users[0]!)).toBe(iso(NOW));
    expect((await get(users[0]!))[0]).toMatchObject({ status: 'offline', activeAt: null });
  }, 120_000);

  it('is online while a route names a gateway that holds its lease', async () => {
    const [here, stale, never] = [randomUUID(), randomUUID(), randomUUID()] as const;
    const routes = new Routes(redis);
    const lease = new GatewayLease(redis);
    await lease.claim('gateway-1', 'boot-2', 60_000);
    const route = {
      deviceId: randomUUID(),
      gatewayId: 'gateway-1',
      connectionId: 'c',
      generation: '1',
    };
    await routes.put({ ...route, userId: here, bootId: 'boot-2' });
    await routes.put({ ...route, userId: stale, bootId: 'boot-1' });
    const statuses = async () => (await get(here, stale, never)).map((p) => p.status);
    expect(await statuses()).toEqual(['online', 'offline', 'offline']);
    await lease.release('gateway-1', 'boot-2');
    expect(await statuses()).toEqual(['offline', 'offline', 'offline']);
    expect((await get(never))[0]).toEqual({
      userId: never,
      status: 'offline',
      lastSeenAt: null,
      activeAt: null,
    });
  }, 120_000);

  it('puts aside what it can not read and goes on', async () => {
    const userId = randomUUID();
    const offsets = new LogOffsets(kafka);
    const topic = deadLetterTopic(TOPICS.presence, GROUPS.presenceTracker);
    await append(EVENT_TYPES.connectionOpened, userId, 'not json');
    await append(EVENT_TYPES.connectionClosed, userId, { userId });
    await append('tidings.connection.newer.v1', userId, {});
    await happened('opened', userId, NOW);
    await eventually(async () => (await lastSeen(userId)) === iso(NOW));
    await eventually(async () => (await offsets.logBounds(topic))[0]!.high === 2n);
    offsets.close();
  }, 120_000);

  it('sets one event aside that a step throws over, and takes in those around it', async () => {
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
      await Promise.all([bad!, ...good].map((userId) => happened('opened', userId, NOW)));
      await eventually(async () => (await uncommitted()) === 0);
      for (const userId of good) expect(await lastSeen(userId)).toBe(iso(NOW));
      expect(await lastSeen(bad!)).toBeNull();
    } finally {
      step.mockRestore();
    }
  }, 120_000);

  it('waits for PostgreSQL, and has lost nothing when it is back', async () => {
    const userId = randomUUID();
    await servers.postgres.kill('SIGQUIT');
    await happened('opened', userId, NOW);
    await expect(get(userId)).rejects.toMatchObject({ code: 'unavailable' });
    await eventually(() => running.every((one) => 'database' in one.readiness.problems()));
    expect(await uncommitted()).toBeGreaterThan(0);
    await servers.postgres.restart();
    await eventually(async () => (await lastSeen(userId).catch(() => null)) === iso(NOW));
    await eventually(async () => (await uncommitted()) === 0);
    await eventually(() =>
      running.every((one) => Object.keys(one.readiness.problems()).length === 0),
    );
  }, 120_000);

  it('shows nobody as away whose gateway comes back to an emptied Redis', async () => {
    const userId = randomUUID();
    const routes = new Routes(redis);
    const lease = new GatewayLease(redis);
    const place = { userId, deviceId: randomUUID(), gatewayId: 'gateway-3', connectionId: 'c' };
    const connects = async (bootId: string, generation: string): Promise<void> => {
      await redisReady(redis, 10_000);
      await lease.claim('gateway-3', bootId, 60_000);
      await routes.put({ ...place, bootId, generation });
    };
    await connects('boot-1', '1');
    const shown = new Set<string>();
    const look = (): Promise<string> => {
      const status = get(userId).then(([one]) => one!.status);
      return status.catch((error: { code: string }) => error.code).then((s) => (shown.add(s), s));
    };
    expect(await look()).toBe('online');
    await servers.redis.kill();
    await servers.redis.restartEmpty();
    // as long as a gateway may take that found out late
    const back = new Promise((resolve) => setTimeout(resolve, 2_000)).then(() =>
      connects('boot-2', '2'),
    );
    await eventually(async () => (await look()) === 'unavailable');
    await eventually(async () => (await look()) === 'online');
    await back;
    expect(shown).toEqual(new Set(['online', 'unavailable']));
  }, 120_000);

  it('says so while Redis is away, and goes on with one instance', async () => {
    const userId = randomUUID();
    await servers.redis.kill();
    await expect(get(userId)).rejects.toMatchObject({ code: 'unavailable' });
    await servers.redis.restart();
    await running[0]!.stop();
    await happened('closed', userId, NOW);
    await eventually(async () => (await lastSeen(userId).catch(() => null)) === iso(NOW));
    expect(fatal).toEqual([]);
  }, 120_000);
});
