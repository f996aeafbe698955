import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BatchFrom } from '@tidings/common/kafka/consumer/batch-from';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import { type Servers, startServers } from '../../tools/stack/servers';
import { Collector, ConsumerRig } from '../support/consumer-rig';
import { eventually } from '../support/eventually';
import { TcpProxy } from '../support/tcp-proxy';

const PARTITIONS = 4;

let servers: Servers;
let rig: ConsumerRig;

beforeAll(async () => {
  servers = await startServers({ kafka: true });
  rig = new ConsumerRig(servers.brokers, PARTITIONS);
}, 240_000);

afterEach(() => rig.closeConsumers());

afterAll(async () => {
  rig?.close();
  await servers?.stop();
});

it('shares partitions between two instances without losing or reordering', async () => {
  const topic = 'rebalance';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 300);
  const seen = new Map<number, bigint[]>();
  const collector = new Collector(({ partition, records }) => {
    seen.set(partition, [...(seen.get(partition) ?? []), ...records.map(({ offset }) => offset)]);
    return { done: true };
  });
  const handlers = { [topic]: collector };
  const first = await rig.start({ groupId: topic, handlers });
  await eventually(() => expect(collector.ids.length).toBe(300));
  const second = await rig.start({ groupId: topic, handlers });
  await rig.append(topic, 300, 600);
  await eventually(() => expect(new Set(collector.ids).size).toBe(600));
  const owners = [first, second].map(
    (s) => [0, 1, 2, 3].filter((partition) => s.owns(topic, partition)).length,
  );
  expect(owners).toEqual([2, 2]);
  await first.close();
  await rig.append(topic, 600, 900);
  await eventually(() => expect(new Set(collector.ids).size).toBe(900));
  for (const offsetsSeen of seen.values()) {
    const firsts = [...new Set(offsetsSeen)];
    expect(firsts).toEqual([...firsts].sort((a, b) => Number(a - b)));
  }
  // Every commit was made before its partition changed hands: nothing was read twice.
  expect(collector.ids).toHaveLength(900);
});

it('hands batches to the methods of a Nest controller and stops with the application', async () => {
  const topic = 'nest';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 50);
  const seen: string[] = [];
  let failures = 1;

  @Controller()
  class Consumer {
    @BatchFrom('nest', 'nest-group')
    async handle({ records }: LogBatch): Promise<HandleOutcome> {
      if (failures-- > 0) throw new Error('once');
      seen.push(...records.map(({ id }) => id));
      return { done: true };
    }

    @BatchFrom('nest', 'another-group')
    async other(): Promise<HandleOutcome> {
      throw new Error('belongs to another group');
    }
  }
  @Module({ controllers: [Consumer] })
  class App {}

  const app = await NestFactory.create(App, { logger: false });
  app.connectMicroservice({
    strategy: new LogConsumerStrategy({ kafka: rig.kafka, groupId: 'nest-group' }),
  });
  await app.startAllMicroservices();
  await eventually(() => expect(seen).toHaveLength(50));
  await app.close();
  expect(await rig.committed('nest-group', topic)).toBe(50n);
});

describe('a member that dies without a word', () => {
  let proxy: TcpProxy;
  let stored: { groupId: string; memberId: string } | null = null;

  beforeEach(async () => {
    proxy = await TcpProxy.start({ target: { port: servers.kafka.port } });
  });
  afterEach(() => proxy.stop());

  /** Starts a consumer, then cuts it off: for the group it is as if its process had been killed. */
  async function startAndKill(
    topic: string,
    collector: Collector,
    sessionTimeout?: number,
  ): Promise<void> {
    await rig.createTopic(topic);
    await rig.append(topic, 0, 50);
    const victim = await rig.start({
      kafka: createKafka({
        brokers: [servers.brokers],
        clientId: 'victim',
        dial: () => ({ host: '127.0.0.1', port: proxy.port }),
      }),
      groupId: topic,
      handlers: { [topic]: collector },
      memberStore: memberStore(topic),
      sessionTimeout,
    });
    await eventually(async () => expect(await rig.committed(topic, topic)).toBe(50n));
    proxy.refuse();
    void victim.close();
  }

  const memberStore = (groupId: string) => ({
    load: () => Promise.resolve(stored),
    save: (memberId: string) => {
      stored = { groupId, memberId };
      return Promise.resolve();
    },
  });

  it('is let go by its successor, which takes over at once', async () => {
    const topic = 'successor';
    const collector = new Collector();
    await startAndKill(topic, collector, 60_000);
    await rig.append(topic, 50, 100);
    const startedAt = performance.now();
    const handlers = { [topic]: collector };
    await rig.start({ groupId: topic, handlers, memberStore: memberStore(topic) });
    await eventually(() => expect(collector.ids).toHaveLength(100));
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  it('keeps its partitions for a session timeout from a stranger', async () => {
    const topic = 'stranger';
    const collector = new Collector();
    await startAndKill(topic, collector);
    await rig.append(topic, 50, 100);
    const startedAt = performance.now();
    await rig.start({ groupId: topic, handlers: { [topic]: collector } });
    await eventually(() => expect(collector.ids).toHaveLength(100), 20_000);
    expect(performance.now() - startedAt).toBeGreaterThan(4_000);
  });
});

it('goes on by itself after a restart of the broker', async () => {
  const topic = 'broker-restart';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 50);
  const collector = new Collector();
  const fatal = jest.fn();
  await rig.start({ groupId: topic, handlers: { [topic]: collector }, onFatal: fatal });
  await eventually(() => expect(collector.ids).toHaveLength(50));
  await servers.kafka.kill();
  await new Promise((resolve) => setTimeout(resolve, 8_000));
  await servers.kafka.restart();
  await rig.append(topic, 50, 100);
  await eventually(() => expect(new Set(collector.ids).size).toBe(100), 30_000);
  expect(fatal).not.toHaveBeenCalled();
});
