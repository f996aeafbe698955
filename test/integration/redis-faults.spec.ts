import {
  createRedis,
  redisReady,
  redisRunId,
  RedisUnavailable,
  type RedisClient,
} from '@tidings/common/redis/client';
import { Inbox, InboxWriter } from '@tidings/common/redis/inbox';
import { MemberCache } from '@tidings/common/redis/members';
import { Routes, type Route } from '@tidings/common/redis/routes';
import { DeviceLogins } from '@tidings/common/redis/logins';
import { Tickets } from '@tidings/common/redis/tickets';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually';
import { RedisRig, timed } from './redis-harness';

/** The longest that any command may take, whatever Redis does, milliseconds. */
const BOUND_MS = 4_000;

describe('faults of Redis', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let blocking: RedisClient;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    blocking = await rig.client({ blocking: true });
  }, 240_000);
  afterAll(() => rig?.stop());
  afterEach(async () => {
    await redisReady(client, 20_000);
    await redisReady(blocking, 20_000);
  });

  function route(): Route {
    return {
      userId: randomUUID(),
      deviceId: randomUUID(),
      gatewayId: 'gateway-1',
      bootId: 'boot-1',
      connectionId: 'c1',
      generation: '1763720000000000',
    };
  }

  /** One of each kind of command, some as pipelines. */
  function commands(): Promise<unknown>[] {
    const routes = new Routes(client);
    const stored = route();
    const users = Array.from({ length: 500 }, () => randomUUID());
    return [
      routes.put(stored),
      routes.renew([stored, route(), route()]),
      routes.remove(stored),
      routes.lookup(users),
      new InboxWriter(client).append([
        { gatewayId: 'g', bootId: 'b', payload: 'x' },
        { gatewayId: 'g', bootId: 'c', payload: 'y' },
      ]),
      new Tickets(client).issue({
        userId: stored.userId,
        deviceId: stored.deviceId,
        sessionGeneration: 1,
        gatewayIds: ['g'],
      }),
      new DeviceLogins(client).get(stored.userId, stored.deviceId),
      new MemberCache(client).get(['a', 'b']),
      redisRunId(client),
    ];
  }

  async function expectAllUnavailable(withinMs: number): Promise<void> {
    for (const { outcome, ms } of await Promise.all(commands().map(timed))) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(RedisUnavailable) });
      expect(ms).toBeLessThan(withinMs);
    }
  }

  it('settles every command of a hung Redis within the bound, then fails at once', async () => {
    await Promise.all(commands());
    rig.servers.redis.signal('SIGSTOP');
    try {
      await expectAllUnavailable(BOUND_MS);
      await expectAllUnavailable(900);
      await expectAllUnavailable(900);
    } finally {
      rig.servers.redis.signal('SIGCONT');
    }
    await eventually(() => Promise.all(commands()), 15_000);
  });

  it('fails at once while Redis is down, settles what was under way, and comes back', async () => {
    const runId = await redisRunId(client);
    const underWay = Promise.all(Array.from({ length: 200 }, commands).flat().map(timed));
    await rig.servers.redis.kill();
    for (const { outcome, ms } of await underWay) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(RedisUnavailable);
      expect(ms).toBeLessThan(BOUND_MS);
    }
    await expectAllUnavailable(900);
    await rig.servers.redis.restart();
    await eventually(() => Promise.all(commands()), 15_000);
    expect(await redisRunId(client)).not.toBe(runId);
  });

  it('settles every command of connections that are killed again and again', async () => {
    const killer = await rig.client();
    const killing = (async () => {
      for (let i = 0; i < 20; i += 1) {
        await killer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    })();
    const rounds = 20;
    const settled: number[] = [];
    let issued = 0;
    const load = Array.from({ length: 20 }, async () => {
      for (let i = 0; i < rounds; i += 1) {
        const round = commands();
        issued += round.length;
        for (const { outcome, ms } of await Promise.all(round.map(timed))) {
          if (outcome.status === 'rejected') {
            expect(outcome.reason).toBeInstanceOf(RedisUnavailable);
          }
          settled.push(ms);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    await Promise.all([killing, ...load]);
    expect(settled).toHaveLength(issued);
    expect(Math.max(...settled)).toBeLessThan(BOUND_MS);
  });

  it('takes a full or read-only Redis as unavailable, a wrong command as a defect', async () => {
    const routes = new Routes(client);
    const operator = await rig.client();
    await operator.config('SET', 'maxmemory', '1');
    const { outcome: full } = await timed(routes.put(route()));
    await operator.config('SET', 'maxmemory', '0');
    expect(full).toMatchObject({ reason: expect.any(RedisUnavailable) });
    await operator.replicaof('127.0.0.1', '1');
    const { outcome: readOnly } = await timed(routes.put(route()));
    await operator.replicaof('NO', 'ONE');
    expect(readOnly).toMatchObject({ reason: expect.any(RedisUnavailable) });
    await redisReady(client, 5_000);
    await eventually(() => routes.put(route()));
    const broken = route();
    await client.set(`{u:${broken.userId}}:routes`, 'not a hash');
    const { outcome } = await timed(routes.put(broken));
    expect(outcome.status === 'rejected' && String(outcome.reason)).toMatch(/WRONGTYPE/);
  });

  it('refuses commands after it was closed, and readiness that does not come', async () => {
    const log = { info: () => undefined, warn: () => undefined };
    const nowhere = createRedis('redis://127.0.0.1:1', { name: 'spec', log });
    await expect(redisReady(nowhere, 200)).rejects.toThrow(RedisUnavailable);
    const waiting = redisReady(nowhere, 20_000);
    nowhere.disconnect();
    await expect(waiting).rejects.toThrow(RedisUnavailable);
    await expect(new Routes(nowhere).lookup(['u'])).rejects.toThrow(RedisUnavailable);
  });

  describe('inbox reader', () => {
    const gatewayId = 'gateway-1';
    const holes: [number, number | null][] = [];
    const errors: unknown[] = [];
    const numbers: number[] = [];
    let bootId: string;
    let inbox: Inbox;

    beforeEach(async () => {
      holes.length = 0;
      errors.length = 0;
      numbers.length = 0;
      bootId = randomUUID();
      inbox = new Inbox(client, blocking, { gatewayId, bootId, blockMs: 200 });
      await inbox.create();
      void inbox.read({
        onEntry: (_, n) => numbers.push(n),
        onHole: (expected, got) => holes.push([expected, got]),
        onSetAside: (error) => errors.push(error),
        onError: (error) => errors.push(error),
      });
      await append(3);
      await eventually(() => expect(numbers).toEqual([1, 2, 3]));
    });
    afterEach(() => inbox.close());

    const append = (n: number) =>
      new InboxWriter(client).append(
        Array.from({ length: n }, () => ({ gatewayId, bootId, payload: 'x' })),
      );

    it('reports a hole when Redis came back empty', async () => {
      await rig.servers.redis.restartEmpty();
      await eventually(() => expect(holes).toEqual([[4, null]]), 15_000);
      expect(errors).toHaveLength(1);
      await eventually(async () => expect(await append(1)).toEqual(['gone']));
    });

    it('reports a hole when Redis came back with its data: what it lost nobody knows', async () => {
      await rig.servers.redis.restart();
      await eventually(() => expect(holes).toEqual([[4, null]]), 15_000);
      await eventually(async () => expect(await append(2)).toEqual(['ok', 'ok']));
      await eventually(() => expect(numbers).toHaveLength(5));
      expect(holes).toHaveLength(1);
    });

    it('goes on without a hole after a hung Redis', async () => {
      rig.servers.redis.signal('SIGSTOP');
      try {
        await eventually(() => expect(errors).toHaveLength(1), 10_000);
        expect(errors[0]).toBeInstanceOf(RedisUnavailable);
      } finally {
        rig.servers.redis.signal('SIGCONT');
      }
      await eventually(async () => expect(await append(2)).toEqual(['ok', 'ok']), 15_000);
      await eventually(() => expect(numbers.at(-1)).toBe(5));
      expect(numbers).toEqual([1, 2, 3, 4, 5]);
      expect(holes).toEqual([]);
    });
  });
});
