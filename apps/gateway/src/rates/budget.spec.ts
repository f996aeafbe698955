import type { Grant } from '@tidings/common/redis/rate-buckets';
import { grantTokens } from './token-grant';
import { Budget } from './budget';

/** 20 per second and 60 at once: a tenth of it is the gateway's own, and ten at once. */
const SHAPE = { own: { perSecond: 2, burst: 10 }, msPerToken: 1_000 / 18, lease: 10 };
const SHARED = { msPerToken: SHAPE.msPerToken, burst: 50, all: false };
const [BURST, PER_MS] = [60, 0.02];

/** Gateways that share one bucket, each with its budget of one user. Redis answers in microtasks. */
function setUp(gateways: number) {
  const world = { now: 5_000, asked: 0, redis: true };
  let fullAt = 0;
  const ask = async (wanted: number): Promise<Grant> => {
    world.asked += 1;
    await Promise.resolve();
    const grant = grantTokens(fullAt, world.now, { ...SHARED, wanted });
    fullAt = world.now + grant.fullInMs;
    return grant;
  };
  const budgets = Array.from({ length: gateways }, () => new Budget(SHAPE, ask, () => world.now));
  return { world, budgets };
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How many of so many tries at once are taken. */
async function burst(budget: Budget, tries: number): Promise<number> {
  let taken = 0;
  for (let i = 0; i < tries; i++) if ((await budget.take()) === 0) taken += 1;
  return taken;
}

describe('Budget', () => {
  it('gives the burst exactly, and says when there is more', async () => {
    const { world, budgets } = setUp(1);
    expect(await burst(budgets[0]!, BURST)).toBe(BURST);
    const waitMs = await budgets[0]!.take();
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(1 / PER_MS + 10);
    world.now += waitMs;
    expect(await burst(budgets[0]!, 2)).toBe(1);
  });

  it('asks nobody while little is done, and seldom when much is', async () => {
    const { world, budgets } = setUp(1);
    for (let i = 0; i < 200; i++) {
      expect(budgets[0]!.take()).toBe(0);
      world.now += 500;
    }
    expect(world.asked).toBe(0);
    await burst(budgets[0]!, BURST);
    expect(world.asked).toBeLessThanOrEqual(6);
  });

  it('asks before it is empty: what comes at the pace of the rate never waits for Redis', async () => {
    const { world, budgets } = setUp(1);
    for (let i = 0; i < 600; i++) {
      expect(budgets[0]!.take()).toBe(0);
      await Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => undefined);
      world.now += 1 / PER_MS;
    }
    expect(world.asked).toBeLessThan(150);
  });

  it('asks nobody again before there can be anything', async () => {
    const { world, budgets } = setUp(1);
    await burst(budgets[0]!, BURST + 1);
    const { asked } = world;
    for (let i = 0; i < 100; i++) expect(budgets[0]!.take()).toBeGreaterThan(0);
    expect(world.asked).toBe(asked);
  });

  it('gives many who wait at the same time no more than there is', async () => {
    const { budgets } = setUp(1);
    const waits = await Promise.all(Array.from({ length: 100 }, async () => budgets[0]!.take()));
    expect(waits.filter((ms) => ms === 0)).toHaveLength(BURST);
  });

  it('is as new when everything is full again', async () => {
    const { world, budgets } = setUp(1);
    expect(budgets[0]!.isIdle()).toBe(true);
    await burst(budgets[0]!, BURST + 1);
    expect(budgets[0]!.isIdle()).toBe(false);
    world.now += 10_000;
    expect(budgets[0]!.isIdle()).toBe(true);
    expect(await burst(budgets[0]!, BURST + 1)).toBe(BURST);
  });

  it.each([1, 2, 3])(
    'keeps to the rate in every stretch of time, over %i gateways',
    async (count) => {
      for (let seed = 1; seed <= 15; seed++) {
        const random = randomFrom(seed);
        const { world, budgets } = setUp(count);
        const taken: number[] = [];
        for (let step = 0; step < 300; step++) {
          const budget = budgets[Math.floor(random() * count)]!;
          if (random() < 0.1) world.now += random() * 2_000;
          else if (random() < 0.5) world.now += random() * 60;
          if ((await budget.take()) === 0) taken.push(world.now);
        }
        const more = (count - 1) * (SHAPE.own.burst + SHAPE.lease);
        const perMs = PER_MS + ((count - 1) * SHAPE.own.perSecond) / 1_000;
        let excess = -Infinity;
        for (let from = 0; from < taken.length; from++) {
          for (let to = from; to < taken.length; to++) {
            const most = BURST + more + perMs * (taken[to]! - taken[from]!);
            excess = Math.max(excess, to - from + 1 - most);
          }
        }
        // less than one token is rounded up in each of the two parts
        expect([seed, excess < 2]).toEqual([seed, true]);
      }
    },
  );

  it('gives in the long run what the rate says, whatever the pattern', async () => {
    const { world, budgets } = setUp(1);
    const random = randomFrom(7);
    const startedAt = world.now;
    let taken = 0;
    while (world.now - startedAt < 600_000) {
      world.now += random() * 30;
      if ((await budgets[0]!.take()) === 0) taken += 1;
    }
    const rate = BURST + PER_MS * (world.now - startedAt);
    expect(taken).toBeLessThanOrEqual(rate + 2);
    expect(taken).toBeGreaterThanOrEqual(rate - 4);
  });
});
