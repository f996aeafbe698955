import 'reflect-metadata';
import { deadLetterTopic, GROUPS, TOPICS, topicSpecs } from '@tidings/common/log-events/topics';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { serverFrame } from '@tidings/protocol/frames';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { ensureTopics } from '@tidings/common/kafka/wire/topics';
import { KEYS } from '@tidings/common/redis/keys';
import { loadEnv } from '@tidings/common/runtime/env';
import { Readiness } from '@tidings/common/runtime/health';
import { Lifecycle } from '@tidings/common/runtime/lifecycle';
import { Metrics } from '@tidings/common/runtime/metrics';
import { randomUUID } from 'node:crypto';
import { Session } from '../../apps/session/src/session';
import { RecentIds } from '../../apps/session/src/domain/recent-ids';
import { sessionEnv } from '../../apps/session/src/session.env';
import { startServers, type Servers } from '../../tools/stack/servers';
import {
  Author,
  coordinatorReady,
  eventually,
  FakeGateway,
  FakeStorage,
  merged,
  SECRET,
  silent,
  talk,
  type Talk,
} from './session-harness';

const PARTITIONS = 4;
/** A log that was recreated once: positions do not start at the offsets. */
const BASES = Array.from({ length: PARTITIONS }, () => 5_000_000n);

interface Running {
  readiness: Readiness;
  metrics: Metrics;
  stop(): Promise<void>;
}

describe('session routing', () => {
  let servers: Servers;
  let kafka: KafkaClient;
  let storage: FakeStorage;
  let author: Author;
  let gateways: FakeGateway[];
  const running: Running[] = [];
  const fatal: Error[] = [];

  beforeAll(async () => {
    servers = await startServers({ kafka: true, redis: true });
    kafka = createKafka({ brokers: [servers.brokers], clientId: 'test' });
    await ensureTopics(
      kafka,
      topicSpecs({ partitions: PARTITIONS, replication: 1, minInsyncReplicas: 1 }),
    );
    await coordinatorReady(kafka, GROUPS.sessionRouting, TOPICS.messages);
    storage = new FakeStorage(BASES);
    author = new Author(kafka, PARTITIONS, BASES);
    gateways = ['gateway-1', 'gateway-2'].map((id) => new FakeGateway(servers.redisUrl, id));
    await Promise.all([storage.start(), author.start(), ...gateways.map((g) => g.start())]);
  }, 240_000);

  afterAll(async () => {
    await Promise.all(running.map((session) => session.stop()));
    await Promise.all(gateways?.map((g) => g.stop()) ?? []);
    await author?.stop();
    await storage?.stop();
    await servers?.stop();
  });

  async function startSession(nodeId: string): Promise<Running> {
    const env = loadEnv(sessionEnv, {
      NODE_ID: nodeId,
      PORT: '0',
      CLUSTER_SECRET: SECRET,
      KAFKA_BROKERS: servers.brokers,
      KAFKA_PARTITIONS: String(PARTITIONS),
      REDIS_URL: servers.redisUrl,
      STORAGE_URLS: storage.url,
    });
    const readiness = new Readiness();
    const metrics = new Metrics({ service: 'session', node: nodeId });
    const onFatal = (error: Error): void => void fatal.push(error);
    const session = new Session({ env, logger: silent, metrics, readiness, onFatal });
    const lifecycle = new Lifecycle(silent);
    await lifecycle.start(session.steps());
    readiness.set(true);
    const one = { readiness, metrics, stop: () => lifecycle.stop() };
    running.push(one);
    await eventually(() => Object.keys(readiness.problems()).length === 0);
    return one;
  }

  function newTalk(users: string[], kind: 'direct' | 'group' = 'direct'): Talk {
    const made = talk(users, kind);
    storage.talks.set(made.id, made);
    return made;
  }

  /** Two users on the two gateways, the first with a second device on the other one. */
  async function pair() {
    const [a, b] = [randomUUID(), randomUUID()] as const;
    const devices = await Promise.all([
      gateways[0]!.connect(a),
      gateways[1]!.connect(a),
      gateways[1]!.connect(b),
    ]);
    return { a, b, talk: newTalk([a, b]), devices };
  }

  const framesOf = (connectionId: string) =>
    gateways.flatMap((g) => g.frames.get(connectionId) ?? []);

  it('hands every record to every device once, in order, each with the one before', async () => {
    const session = await startSession('session-1');
    const pairs = await Promise.all(Array.from({ length: 20 }, () => pair()));
    for (const { talk: t } of pairs) await author.create(t);
    const sends = [];
    for (let n = 0; n < 3_000; n++) {
      const { talk: t, a, b } = pairs[n % pairs.length]!;
      sends.push(author.send(t, n % 3 ? a : b, `line ${n}`));
    }
    const sent = await Promise.all(sends);
    const last = pairs.map(({ talk: t }) => t.positions.at(-1)!);
    await eventually(() =>
      pairs.every(({ devices }) => devices.every((d) => framesOf(d.connectionId).length >= 151)),
    );
    expect(new Set(sent.map((s) => s.messageId)).size).toBe(3_000);
    pairs.forEach(({ talk: t, devices }, i) => {
      expect(t.positions.at(-1)).toBe(last[i]);
      for (const { connectionId } of devices) {
        const frames = framesOf(connectionId);
        expect(frames.map((f) => BigInt(String(f['position'])))).toEqual(t.positions);
        const previous = frames.map((f) => f['previous']);
        expect(previous).toEqual(['0', ...t.positions.slice(0, -1).map(String)]);
        for (const frame of frames.slice(0, 3)) expect(serverFrame.parse(frame)).toEqual(frame);
      }
    });
    const text = await session.metrics.registry.metrics();
    expect(text).toMatch(/tidings_routing_records_total\{kind="live".*\} 3020/);
  });

  it('drops repeated ids and tells the sender of a conflicting copy', async () => {
    const { a, b, talk: t, devices } = await pair();
    await author.create(t);
    const device = devices[0]!;
    const options = { deviceId: device.deviceId };
    const first = await author.send(t, a, 'once', options);
    const repeat = { id: first.messageId, repeated: true, ...options };
    await author.send(t, a, 'once', repeat);
    await author.send(t, a, 'other text', repeat);
    await author.send(t, b, 'end');
    await eventually(() => framesOf(devices[2]!.connectionId).length >= 3);
    for (const { connectionId } of devices) {
      const frames = framesOf(connectionId).filter((f) => f.type !== 'error');
      expect(frames.map((f) => BigInt(String(f['position'])))).toEqual(t.positions);
      expect(frames.map((f) => f['previous'])).toEqual([
        '0',
        ...t.positions.slice(0, -1).map(String),
      ]);
    }
    await eventually(() => gateways[0]!.got(device, 'error').length > 0);
    expect(gateways[0]!.got(device, 'error')).toEqual([
      expect.objectContaining({
        ref: first.messageId,
        messageId: first.messageId,
        code: 'message_id_conflict',
        retryable: false,
      }),
    ]);
    expect(gateways[1]!.got(devices[1]!, 'error')).toEqual([]);
  });

  it('says pending when the receiver has no route, or only one without an inbox', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    const device = await gateways[0]!.connect(a);
    const t = newTalk([a, b]);
    await author.create(t);
    const first = await author.send(t, a, 'nobody there');
    await eventually(() => gateways[0]!.got(device, 'pending').length === 1);
    const stale = new FakeGateway(servers.redisUrl, 'gateway-9');
    await stale.start();
    await stale.connect(b);
    await stale.stop();
    await stale.forget(gateways[0]!.redis);
    const second = await author.send(t, a, 'a dead box');
    await eventually(() => gateways[0]!.got(device, 'pending').length === 2);
    expect(gateways[0]!.got(device, 'pending')).toEqual(
      [first, second].map(({ messageId, position }) => ({
        type: 'pending',
        conversationId: t.id,
        messageId,
        position: String(position),
        offline: [b],
      })),
    );
  });

  it('puts aside what can not be routed and goes on', async () => {
    const { a, talk: t, devices } = await pair();
    await author.create(t);
    const topic = deadLetterTopic(TOPICS.messages, GROUPS.sessionRouting);
    const offsets = new LogOffsets(kafka);
    const before = (await offsets.logBounds(topic))[0]!.high;
    const poison: [string, unknown][] = [
      [EVENT_TYPES.messageSent, 'not json'],
      [EVENT_TYPES.messageSent, { conversationId: t.id }],
      [EVENT_TYPES.messageSent, 'null'],
      ['', '{}'],
    ];
    for (const [type, value] of poison) await author.append(t.id, type, value);
    await author.append(t.id, 'tidings.something.newer.v1', {});
    const { position } = await author.send(t, a, 'behind the poison');
    await eventually(() =>
      framesOf(devices[2]!.connectionId).some((f) => f['position'] === String(position)),
    );
    await eventually(async () => (await offsets.logBounds(topic))[0]!.high === before + 4n);
    offsets.close();
  });

  it('sets one record aside that a step throws over, and pushes those behind it', async () => {
    const { a, talk: t, devices } = await pair();
    await author.create(t);
    await eventually(() => framesOf(devices[2]!.connectionId).length === 1);
    const topic = deadLetterTopic(TOPICS.messages, GROUPS.sessionRouting);
    const offsets = new LogOffsets(kafka);
    const letters = (await offsets.logBounds(topic))[0]!.high;
    const defects = async (): Promise<number> => {
      const all = await Promise.all(
        running.map(({ metrics }) =>
          metrics.registry.getSingleMetric('tidings_defects_total')!.get(),
        ),
      );
      return all.flatMap(({ values }) => values).reduce((sum, { value }) => sum + value, 0);
    };
    const counted = await defects();
    const original = RecentIds.prototype.before;
    const poisonous = randomUUID();
    const step = jest.spyOn(RecentIds.prototype, 'before').mockImplementation(function (
      this: RecentIds,
      key,
      entry,
    ) {
      if (key.id === poisonous) throw new TypeError('a defect');
      return original.call(this, key, entry);
    });
    try {
      const bad = await author.send(t, a, 'a step throws over this', { id: poisonous });
      const good = [];
      for (let n = 0; n < 5; n++) good.push(await author.send(t, a, `behind it ${n}`));
      await eventually(() => framesOf(devices[2]!.connectionId).length === 6);
      expect(merged(framesOf(devices[2]!.connectionId), t.id).slice(1)).toEqual(
        good.map(({ position }) => position),
      );
      // the client sees a gap, and asks storage
      expect(framesOf(devices[2]!.connectionId)[1]).toMatchObject({
        previous: String(bad.position),
      });
      await eventually(async () => (await offsets.logBounds(topic))[0]!.high === letters + 1n);
      expect(await defects()).toBe(counted + 1);
    } finally {
      step.mockRestore();
      offsets.close();
    }
  });

  it('goes on without storage where it knows the members, and waits where it does not', async () => {
    const known = await pair();
    await author.create(known.talk);
    const unknown = await pair();
    storage.away = true;
    const sent = await author.send(known.talk, known.a, 'storage is away');
    await eventually(() =>
      framesOf(known.devices[2]!.connectionId).some((f) => f['position'] === String(sent.position)),
    );
    const held = await author.send(unknown.talk, unknown.a, 'who is in here?');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(framesOf(unknown.devices[2]!.connectionId)).toEqual([]);
    storage.away = false;
    await eventually(() => framesOf(unknown.devices[2]!.connectionId).length === 1);
    expect(framesOf(unknown.devices[2]!.connectionId)[0]).toMatchObject({
      position: String(held.position),
      previous: '0',
    });
  });

  it('loses nothing and keeps the order when instances come and go', async () => {
    const pairs = await Promise.all(Array.from({ length: 12 }, () => pair()));
    for (const { talk: t } of pairs) await author.create(t);
    let writing = true;
    let n = 0;
    const writers = pairs.map(async ({ talk: t, a }) => {
      while (writing) {
        await author.send(t, a, `line ${n++}`);
        if (n % 7 === 0) {
          const { messageId } = await author.send(t, a, 'twice');
          await author.send(t, a, 'twice', { id: messageId, repeated: true });
        }
      }
    });
    const settle = () => new Promise((resolve) => setTimeout(resolve, 1_500));
    await settle();
    const second = await startSession('session-2');
    await settle();
    await running.shift()!.stop();
    await settle();
    const third = await startSession('session-3');
    await settle();
    await second.stop();
    await settle();
    writing = false;
    await Promise.all(writers);
    await eventually(() =>
      pairs.every(({ talk: t, devices }) =>
        devices.every((d) => merged(framesOf(d.connectionId), t.id).at(-1) === t.positions.at(-1)),
      ),
    );
    for (const { talk: t, devices } of pairs) {
      expect(t.positions.length).toBeGreaterThan(50);
      for (const { connectionId } of devices) {
        const frames = framesOf(connectionId);
        expect(merged(frames, t.id)).toEqual(t.positions);
        const before = new Map(t.positions.map((p, i) => [String(p), t.positions[i - 1] ?? 0n]));
        for (const frame of frames) {
          const expected = before.get(String(frame['position']));
          if (frame['previous'] === null) continue;
          expect(frame['previous']).toBe(String(expected));
        }
      }
    }
    expect(Object.keys(third.readiness.problems())).toEqual([]);
    expect(gateways.map((g) => g.holes)).toEqual([0, 0]);
    expect(fatal).toEqual([]);
  });

  it.each([
    ['with all copies of its window', async () => undefined],
    ['killed before its last copies', (key: string) => gateways[0]!.redis.rpop(key)],
    ['with a hole in the copies', (key: string) => gateways[0]!.redis.lset(key, -2, 'lost')],
    ['without copies', (key: string) => gateways[0]!.redis.del(key)],
  ])('shows once what is repeated over a takeover: %s', async (name, damage) => {
    const { a, talk: t, devices } = await pair();
    await author.create(t);
    const keys = () => KEYS.window(1, author.partition(t));
    const segments = () => gateways[0]!.redis.llen(keys());
    const first: string[] = [];
    for (let second = 0; second < 3; second++) {
      const before = await segments();
      first.push((await author.send(t, a, `line ${second}`)).messageId);
      await eventually(async () => (await segments()) > before);
    }
    await eventually(() => devices.every((d) => framesOf(d.connectionId).length === 4));
    await Promise.all(running.splice(0).map((session) => session.stop()));
    await damage(keys());
    const successor = await startSession(`session-${name.length}`);
    for (const [n, messageId] of first.entries()) {
      await author.send(t, a, `line ${n}`, { id: messageId, repeated: true });
    }
    await author.send(t, a, 'behind');
    await eventually(() => devices.every((d) => framesOf(d.connectionId).length >= 5));
    for (const { connectionId } of devices) {
      const frames = framesOf(connectionId);
      expect(frames.map((f) => BigInt(String(f['position'])))).toEqual(t.positions);
      const previous = frames.map((f) => f['previous']);
      expect(previous).toEqual(['0', ...t.positions.slice(0, -1).map(String)]);
    }
    const text = await successor.metrics.registry.metrics();
    const copied = Number(/^tidings_routing_copied_total\S* (\d+)$/m.exec(text)?.[1]);
    if (name === 'with all copies of its window') expect(copied).toBeGreaterThan(0);
  });

  it('pushes what came while Redis was away once it is back, and goes on when it is empty', async () => {
    const { a, talk: t, devices } = await pair();
    await author.create(t);
    await eventually(() => framesOf(devices[2]!.connectionId).length === 1);
    await servers.redis.kill();
    for (let n = 0; n < 50; n++) await author.send(t, a, `line ${n}`);
    await servers.redis.restart();
    await eventually(() => merged(framesOf(devices[2]!.connectionId), t.id).length === 51);
    expect(merged(framesOf(devices[2]!.connectionId), t.id)).toEqual(t.positions);
    await servers.redis.restartEmpty();
    await Promise.all(gateways.map((g) => g.announceAgain()));
    const after = await author.send(t, a, 'in the empty one');
    await eventually(() =>
      framesOf(devices[2]!.connectionId).some((f) => f['position'] === String(after.position)),
    );
  });
});
