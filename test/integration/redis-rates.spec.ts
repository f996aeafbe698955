import { randomUUID } from 'node:crypto';
import type { RedisClient } from '@tidings/common/redis/client';
import { KEYS } from '@tidings/common/redis/keys';
import { AddressHits } from '@tidings/common/redis/address-hits';
import { RateBuckets, type TokenOrder } from '@tidings/common/redis/rate-buckets';
import { eventually } from '../support/eventually';
import { RedisRig } from './redis-harness';

/** Slow enough that no token comes back while a test runs. */
const SLOW = { msPerToken: 60_000, burst: 10 };

describe('the token buckets in Redis', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let buckets: RateBuckets;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    buckets = new RateBuckets(client);
  }, 240_000);
  afterAll(() => rig?.stop());

  const user = () => ({ userId: randomUUID(), deviceId: null });
  const order = (wanted: number, all = false, bucket = SLOW): TokenOrder => ({
    ...bucket,
    wanted,
    all,
  });

  it('give the burst and not one more, however many connections ask at once', async () => {
    const ann = user();
    const clients = await Promise.all(Array.from({ length: 4 }, () => rig.client()));
    const grants = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        new RateBuckets(clients[n % 4]!).take(ann, 'contact', order(1, true)),
      ),
    );
    expect(grants.filter(({ taken }) => taken === 1)).toHaveLength(SLOW.burst);
    for (const { taken, waitMs } of grants.filter((grant) => grant.taken === 0)) {
      expect(taken).toBe(0);
      expect(waitMs).toBeGreaterThan(SLOW.msPerToken - 10_000);
      expect(waitMs).toBeLessThanOrEqual(SLOW.msPerToken);
    }
  });

  it('give some or all, as asked, and take back', async () => {
    const ann = user();
    expect(await buckets.take(ann, 'invite', order(7, true))).toMatchObject({
      taken: 7,
      waitMs: 0,
    });
    expect(await buckets.take(ann, 'invite', order(4, true))).toMatchObject({ taken: 0 });
    expect(await buckets.take(ann, 'invite', order(4))).toMatchObject({ taken: 3, waitMs: 0 });
    expect(await buckets.take(ann, 'invite', order(-2))).toMatchObject({ taken: -2 });
    expect(await buckets.take(ann, 'invite', order(2, true))).toMatchObject({ taken: 2 });
    expect((await buckets.take(ann, 'invite', order(1))).taken).toBe(0);
    // more than was ever taken
    await buckets.take(ann, 'invite', order(-50));
    expect((await buckets.take(ann, 'invite', order(50))).taken).toBe(SLOW.burst);
  });

  it('are apart by user, rate and device', async () => {
    const { userId } = user();
    const phone = { userId, deviceId: randomUUID() };
    const all = order(SLOW.burst, true);
    expect((await buckets.take({ userId, deviceId: null }, 'send', all)).taken).toBe(SLOW.burst);
    expect((await buckets.take({ userId, deviceId: null }, 'contact', all)).taken).toBe(SLOW.burst);
    expect((await buckets.take(phone, 'send', all)).taken).toBe(SLOW.burst);
    expect((await buckets.take({ ...phone, deviceId: randomUUID() }, 'send', all)).taken).toBe(10);
    expect((await buckets.take(user(), 'send', all)).taken).toBe(SLOW.burst);
  });

  it('fill again with time, and are gone from Redis when they are full', async () => {
    const ann = user();
    const quick = { msPerToken: 20, burst: 5 };
    const { fullInMs } = await buckets.take(ann, 'search', order(5, true, quick));
    expect(fullInMs).toBeCloseTo(100, 0);
    const key = KEYS.rate(ann.userId, 'search', null);
    const left = await client.pttl(key);
    expect(left).toBeLessThanOrEqual(100);
    await eventually(async () => expect(await client.exists(key)).toBe(0));
    expect((await buckets.take(ann, 'search', order(5, true, quick))).taken).toBe(5);
    await buckets.take(ann, 'search', order(-5, false, quick));
    expect(await client.exists(key)).toBe(0);
  });

  it('count what comes from an address at all gateways together, in windows that begin with the first', async () => {
    const [one, other] = [new AddressHits(client), new AddressHits(await rig.client())];
    const network = `2001:db8::${randomUUID()}/64`;
    expect((await one.count('auth', network, 0, 400)).hits).toBe(0);
    const at = await Promise.all([one, other].map((hits) => hits.count('auth', network, 1, 400)));
    expect(at.map(({ hits }) => hits).sort()).toEqual([1, 2]);
    expect((await other.count('auth', network, 0, 400)).hits).toBe(2);
    expect((await other.count('request', network, 1, 400)).hits).toBe(1);
    expect((await other.count('auth', `${network}x`, 1, 400)).hits).toBe(1);
    // the window of the first hit is not made longer by the others
    await eventually(async () => {
      expect((await one.count('auth', network, 0, 400)).hits).toBe(0);
    }, 2_000);
    const { hits, leftMs } = await one.count('auth', network, 1, 60_000);
    expect(hits).toBe(1);
    expect(leftMs).toBeGreaterThan(59_000);
  });
});
