import { eventually } from '../support/eventually';
import { metricOf } from '../support/service-report';
import { type Chatters, downFor, type Fault } from './fault';
import { spoolsAreEmpty } from './held-checks';
import { keepsPromises } from './people/keeps-promises';
import {
  badNetwork,
  brokerDiskFull,
  crashLoop,
  databaseDiskFull,
  diedOfMemory,
  hung,
  killed,
  noHandles,
  noMemory,
  readOnly,
  smallHeap,
  stalls,
  vanish,
} from './strikes';

const HANGS_MS = 10_000;

/** What is broken while people chat. */
const FAULTS: Fault<Chatters>[] = [
  {
    name: 'kill -9 of a gateway',
    strike: killed('gateway-1'),
    elsewhere: 'gateway-1',
    silence: { whole: 3_000 },
  },
  { name: 'kill -9 of session', strike: killed('session-1'), silence: { whole: 10_000 } },
  { name: 'kill -9 of storage', strike: killed('storage-1'), silence: { whole: 1_000 } },
  { name: 'kill -9 of presence', strike: killed('presence-1'), silence: { whole: 1_000 } },
  {
    name: 'session in a crash loop',
    strike: crashLoop('session-1'),
    silence: { whole: 10_000 },
    seconds: 50,
  },
  {
    name: 'a gateway in a crash loop',
    strike: crashLoop('gateway-1'),
    elsewhere: 'gateway-1',
    silence: { whole: 5_000 },
    seconds: 50,
  },
  {
    name: 'a gateway that can open no files and sockets',
    strike: noHandles('gateway-1'),
    silence: { whole: 3_000 },
    seconds: 35,
    afterwards: async (stack) => {
      const { status } = await fetch(`${stack.node('gateway-1').url}/health/ready`);
      expect(status).toBe(200);
    },
  },
  {
    name: 'a gateway that gets no more memory',
    strike: noMemory('gateway-1'),
    elsewhere: 'gateway-1',
    silence: { whole: 5_000 },
    seconds: 50,
    afterwards: diedOfMemory('gateway-1'),
  },
  {
    name: 'storage with a heap that is too small',
    strike: smallHeap('storage-1'),
    silence: { whole: 2_000 },
    seconds: 60,
    afterwards: diedOfMemory('storage-1'),
  },
  { name: 'restart of Kafka', strike: (s) => s.kafka.restart(), silence: { afterBack: 5_000 } },
  {
    name: 'Kafka away for 30 s',
    strike: async ({ kafka }) => {
      await kafka.stop();
      await downFor(30_000);
      await kafka.restart();
    },
    silence: { afterBack: 30_000 },
    seconds: 60,
    held: 500,
    afterwards: spoolsAreEmpty,
  },
  {
    name: 'Kafka hung for 10 s',
    strike: hung('kafka'),
    silence: { afterBack: 10_000 },
    seconds: 35,
  },
  {
    name: 'kill -9 of a gateway that holds messages',
    strike: async (stack, chatting) => {
      await stack.kafka.stop();
      await eventually(() => {
        if (chatting.heldIds.size < 150) throw new Error('too few are held yet');
      }, 30_000);
      const gateway = stack.node('gateway-1');
      if ((await metricOf(gateway.url, 'spool_entries')) === 0) throw new Error('nothing is held');
      await gateway.kill('SIGKILL');
      // its clients send the same again, elsewhere; it has to wait for Kafka to be back
      const restarted = gateway.restart();
      await downFor(10_000);
      await stack.kafka.restart();
      await restarted;
    },
    silence: { afterBack: 30_000 },
    seconds: 60,
    held: 150,
    afterwards: spoolsAreEmpty,
  },
  {
    name: "the broker's disk is full",
    strike: brokerDiskFull,
    silence: { afterBack: 30_000 },
    seconds: 60,
    held: 150,
    afterwards: spoolsAreEmpty,
  },
  { name: 'restart of PostgreSQL', strike: (s) => s.postgres.restart(), silence: { whole: 1_000 } },
  {
    name: 'PostgreSQL away for 10 s',
    strike: async ({ postgres }) => {
      await postgres.kill();
      await downFor(HANGS_MS);
      await postgres.restart();
    },
    silence: { whole: 2_000 },
    seconds: 35,
  },
  {
    name: 'PostgreSQL hung for 10 s',
    strike: hung('postgres'),
    silence: { whole: 2_000 },
    seconds: 35,
  },
  {
    name: 'PostgreSQL takes no writes for 10 s',
    strike: readOnly,
    silence: { whole: 2_000 },
    seconds: 35,
  },
  {
    name: "PostgreSQL's disk is full for 10 s",
    strike: databaseDiskFull,
    silence: { whole: 2_000 },
    seconds: 35,
  },
  {
    name: 'restart of Redis',
    strike: async ({ redis }) => {
      await redis.stop();
      await downFor(1_000);
      await redis.restart();
    },
    silence: { afterBack: 5_000 },
  },
  {
    name: 'restart of Redis, emptied',
    strike: async ({ redis }) => {
      await redis.kill();
      await downFor(1_000);
      await redis.restartEmpty();
    },
    silence: { afterBack: 5_000 },
  },
  {
    name: 'Redis hung for 10 s',
    strike: hung('redis'),
    silence: { afterBack: 10_000 },
    seconds: 35,
  },
  {
    name: 'Redis away for 20 s',
    strike: async ({ redis }) => {
      await redis.kill();
      await downFor(20_000);
      await redis.restart();
    },
    silence: { afterBack: 10_000 },
    seconds: 45,
    acknowledgedMeanwhile: 500,
  },
  {
    name: 'a network that loses 5 % and is slow, in pieces',
    strike: badNetwork({ delayMs: 40, jitterMs: 60, sliceBytes: 700, loss: 0.05 }, 15_000),
    silence: { whole: 5_000 },
    seconds: 40,
    proxied: true,
    acknowledgedMeanwhile: 100,
  },
  {
    name: 'a network that stalls',
    strike: stalls(15_000),
    silence: { whole: 5_000 },
    seconds: 40,
    proxied: true,
    acknowledgedMeanwhile: 100,
  },
  {
    name: 'people whose network is gone without a word',
    strike: vanish,
    silence: { whole: 5_000 },
    seconds: 75,
    proxied: true,
  },
];

describe.each(FAULTS)('$name', (fault: Fault<Chatters>) => {
  const all = keepsPromises(fault);

  it('keeps every promise to people who do what people do, and is soon over', all, 900_000);
});
