import type { RedisClient } from '@tidings/common/redis/client';
import { KEYS } from '@tidings/common/redis/keys';
import { Routes, type Route } from '@tidings/common/redis/routes';
import { Tickets } from '@tidings/common/redis/tickets';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually';
import { RedisRig } from './redis-harness';

const GENERATION = 1_763_720_000_000_000;

function route(changes: Partial<Route> = {}): Route {
  return {
    userId: randomUUID(),
    deviceId: randomUUID(),
    gatewayId: 'gateway-1',
    bootId: 'boot-1',
    connectionId: 'c1',
    generation: String(GENERATION),
    ...changes,
  };
}

describe('routes', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let routes: Routes;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    routes = new Routes(client);
  }, 240_000);
  afterAll(() => rig?.stop());

  it('writes a first route', async () => {
    const first = route();
    expect(await routes.put(first)).toEqual({ written: true, replaced: null });
    expect(await routes.lookup([first.userId])).toEqual([[first]]);
    expect(await client.pttl(KEYS.routes(first.userId))).toBeGreaterThan(85_000);
  });

  const LOWER = { generation: String(GENERATION - 1) };
  const HIGHER = { generation: String(GENERATION + 1) };
  it.each<[string, Partial<Route>, 'refused' | 'rewritten' | 'replaced']>([
    ['a lower generation', { ...LOWER, connectionId: 'c2' }, 'refused'],
    ['a lower generation of the same connection id', LOWER, 'refused'],
    ['a lower generation with fewer digits', { generation: '9' }, 'refused'],
    ['an equal generation of another connection', { connectionId: 'c2' }, 'refused'],
    ['an equal generation at another gateway', { gatewayId: 'gateway-2' }, 'refused'],
    ['the same route', {}, 'rewritten'],
    ['the same connection with a new boot id', { bootId: 'boot-2' }, 'rewritten'],
    ['a higher generation', { ...HIGHER, connectionId: 'c2' }, 'replaced'],
    ['a higher generation elsewhere', { ...HIGHER, gatewayId: 'gateway-2' }, 'replaced'],
    ['a higher generation with the same connection id', HIGHER, 'replaced'],
  ])('fences a put of %s', async (_, changes, outcome) => {
    const stored = route();
    await routes.put(stored);
    const next = { ...stored, ...changes };
    const result = await routes.put(next);
    const expected = {
      refused: { written: false, newer: true },
      rewritten: { written: true, replaced: null },
      replaced: { written: true, replaced: stored },
    };
    expect(result).toEqual(expected[outcome]);
    const now = await routes.lookup([stored.userId]);
    expect(now).toEqual([[outcome === 'refused' ? stored : next]]);
  });

  it.each<[string, Partial<Route>, boolean]>([
    ['the very route', {}, true],
    ['another boot id', { bootId: 'boot-0' }, false],
    ['another connection', { connectionId: 'c0' }, false],
    ['another gateway', { gatewayId: 'gateway-0' }, false],
    ['a lower generation', LOWER, false],
    ['a higher generation', HIGHER, false],
    ['another device', { deviceId: randomUUID() }, false],
    ['another user', { userId: randomUUID() }, false],
  ])('renews and removes only an equal route: %s', async (_, changes, equal) => {
    const stored = route();
    await routes.put(stored);
    await client.pexpire(KEYS.routes(stored.userId), 10_000);
    const asked = { ...stored, ...changes };
    expect(await routes.renew([asked])).toEqual([equal]);
    const ttl = await client.pttl(KEYS.routes(stored.userId));
    if (equal) expect(ttl).toBeGreaterThan(85_000);
    else expect(ttl).toBeLessThanOrEqual(10_000);
    expect(await routes.remove(asked)).toBe(equal);
    expect(await routes.lookup([stored.userId])).toEqual([equal ? [] : [stored]]);
  });

  it('leaves a route that moved on alone (a gateway that was stopped and goes on)', async () => {
    const old = route();
    const moved = { ...old, gatewayId: 'gateway-2', bootId: 'boot-9', ...HIGHER };
    await routes.put(old);
    await routes.put(moved);
    expect(await routes.renew([old, moved])).toEqual([false, true]);
    expect(await routes.remove(old)).toBe(false);
    expect(await routes.lookup([old.userId])).toEqual([[moved]]);
  });

  it('keeps the highest of 50 concurrent puts', async () => {
    const first = route();
    const all = Array.from({ length: 50 }, (_, i) => ({
      ...first,
      connectionId: `c${i}`,
      generation: String(GENERATION + ((i * 37) % 50)),
    }));
    const results = await routes.putAll(all);
    expect(results.filter((r) => r.written).length).toBeGreaterThan(0);
    const [[left]] = (await routes.lookup([first.userId])) as [[Route]];
    expect(left.generation).toBe(String(GENERATION + 49));
  });

  it('looks up many users, aligned, each with all devices', async () => {
    const users = Array.from({ length: 450 }, () => randomUUID());
    const written = users.flatMap((userId, i) =>
      Array.from({ length: i % 3 }, (_, device) => route({ userId, connectionId: `c${device}` })),
    );
    await routes.putAll(written);
    const asked = [...users, users[1]!, users[0]!];
    for (const keysPerLookup of [1, 7, 200, 1_000]) {
      const found = await new Routes(client, { keysPerLookup }).lookup(asked);
      expect(found).toHaveLength(asked.length);
      asked.forEach((userId, i) => {
        const expected = written.filter((r) => r.userId === userId);
        expect(found[i]).toHaveLength(expected.length);
        expect(found[i]).toEqual(expect.arrayContaining(expected));
      });
    }
    expect(await routes.lookup([])).toEqual([]);
  });

  it('forgets routes that are not renewed', async () => {
    const short = new Routes(client, { ttlMs: 150 });
    const stored = route();
    await short.put(stored);
    await eventually(async () => expect(await short.lookup([stored.userId])).toEqual([[]]), 5_000);
    expect(await short.renew([stored])).toEqual([false]);
  });

  it('keeps the resume ticket for its time after the route', async () => {
    const tickets = new Tickets(client, { resumeMs: 5_000 });
    const stored = route();
    const key = KEYS.resume(stored.userId, stored.deviceId);
    await routes.put(stored);
    await tickets.issueResume({
      ...stored,
      sessionGeneration: 1,
      connectionGeneration: stored.generation,
    });
    await routes.renew([{ ...stored, bootId: 'boot-0' }]);
    expect(await client.pttl(key)).toBeLessThanOrEqual(5_000);
    await routes.renew([stored]);
    expect(await client.pttl(key)).toBeGreaterThan(205_000);
    await routes.remove(stored);
    const left = await client.pttl(key);
    expect(left).toBeGreaterThan(115_000);
    expect(left).toBeLessThanOrEqual(120_000);
  });
});
