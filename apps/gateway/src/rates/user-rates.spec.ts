import { RATES, type Rates } from '@tidings/protocol/limits';
import type { BucketOwner, TokenOrder } from '@tidings/common/redis/rate-buckets';
import { OwnCounts } from './own-counts';
import { readRates } from './rate-settings';
import { UserRates } from './user-rates';

const ANN = { userId: 'ann', deviceId: 'phone' };
const ANN_TOO = { userId: 'ann', deviceId: 'laptop' };
const BOB = { userId: 'bob', deviceId: 'tablet' };

/** Rates over a shared store that answers or fails. */
function setUp(rates: Rates = RATES) {
  const world = { now: 1_000, redis: 'there' as 'there' | 'away' };
  const shared = new OwnCounts();
  const asked: string[] = [];
  const refused: string[] = [];
  let alone = 0;
  const take = (owner: BucketOwner, name: string, order: TokenOrder) => {
    const key = `${name} ${owner.userId} ${owner.deviceId}`;
    asked.push(key);
    if (world.redis === 'away') return Promise.reject(new Error('away'));
    return Promise.resolve(shared.take(key, order, world.now));
  };
  const gateway = () =>
    new UserRates({
      buckets: { take },
      rates,
      refused: (name) => void refused.push(name),
      alone: () => void alone++,
      clock: () => world.now,
    });
  return { world, asked, refused, alone: () => alone, gateway, one: gateway() };
}

/** How many of so many tries are taken. */
async function tries(take: () => number | Promise<number>, count: number): Promise<number> {
  let taken = 0;
  for (let i = 0; i < count; i++) if ((await take()) === 0) taken += 1;
  return taken;
}

describe('UserRates', () => {
  const names = Object.entries(RATES).flatMap(([name, { per, burst }]) =>
    per === 'user' || per === 'device' ? [{ name: name as 'send', per, burst }] : [],
  );

  it.each(names)('$name: $burst at once per $per, not one more', async ({ name, per, burst }) => {
    const { one, refused } = setUp();
    expect(await tries(() => one.take(ANN, name), burst + 1)).toBe(burst);
    expect(refused).toEqual([name]);
    expect((await one.take(ANN_TOO, name)) === 0).toBe(per === 'device');
    expect(await one.take(BOB, name)).toBe(0);
  });

  it.each(names)('$name: as much with each minute', async ({ name, burst }) => {
    const { one, world } = setUp();
    await tries(() => one.take(ANN, name), burst);
    // no more than fits into the bucket meanwhile
    const { perMinute } = RATES[name];
    const some = Math.max(1, Math.floor(burst / 2));
    world.now += Math.ceil((some * 60_000) / perMinute);
    const taken = await tries(() => one.take(ANN, name), burst);
    expect(taken).toBeGreaterThanOrEqual(some - 1);
    expect(taken).toBeLessThanOrEqual(some + 1);
  });

  it('is shared by gateways: what has no own share, exactly', async () => {
    const { gateway } = setUp();
    const gateways = [gateway(), gateway(), gateway()];
    const { burst } = RATES.contact;
    let turn = 0;
    const take = () => gateways[turn++ % 3]!.take(ANN, 'contact');
    expect(await tries(take, burst + 5)).toBe(burst);
  });

  it('takes from all of several rates or from none', async () => {
    const { one } = setUp();
    const { burst } = RATES.createConversation;
    await one.require(ANN, [['invite', RATES.invite.burst - 1]]);
    const refused = one.require(ANN, [
      ['createConversation', 1],
      ['invite', 2],
    ]);
    await expect(refused).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 200 });
    expect(await tries(() => one.take(ANN, 'createConversation'), burst + 1)).toBe(burst);
  });

  it('takes back what was not used', async () => {
    const { one } = setUp();
    const { burst } = RATES.createConversation;
    for (let i = 0; i < 2 * burst; i++) {
      expect(await one.take(ANN, 'createConversation')).toBe(0);
      one.giveBack(ANN, [['createConversation', 1]]);
    }
    expect(await tries(() => one.take(ANN, 'createConversation'), burst + 1)).toBe(burst);
  });

  it('counts what costs more than there can ever be as all there is', async () => {
    const { one, world } = setUp(readRates('invite=60/5')!);
    expect(await one.take(ANN, 'invite', 1_000)).toBe(0);
    expect(await one.take(ANN, 'invite', 1_000)).toBe(5_000);
    world.now += 5_000;
    expect(await one.take(ANN, 'invite', 1_000)).toBe(0);
  });

  it('counts for itself while Redis is away', async () => {
    const { one, world, asked, alone } = setUp();
    world.redis = 'away';
    const { burst } = RATES.send;
    expect(await tries(() => one.take(ANN, 'send'), burst + 1)).toBe(burst);
    expect(await tries(() => one.take(ANN, 'contact'), RATES.contact.burst + 1)).toBe(
      RATES.contact.burst,
    );
    // asked once, then left alone for a while
    expect(asked).toHaveLength(1);
    expect(alone()).toBeGreaterThan(0);
    world.redis = 'there';
    world.now += 1_000;
    await one.take(ANN, 'upload');
    expect(asked).toHaveLength(2);
  });

  it('goes on from what Redis told last, when it goes away', async () => {
    const { one, world } = setUp();
    const { burst } = RATES.contact;
    expect(await tries(() => one.take(ANN, 'contact'), burst - 3)).toBe(burst - 3);
    world.redis = 'away';
    expect(await tries(() => one.take(ANN, 'contact'), burst)).toBe(3);
  });

  it('forgets who does nothing any more, and nobody else', async () => {
    const { one, world } = setUp();
    await one.take(ANN, 'send');
    await one.take(BOB, 'send');
    await one.take(ANN, 'typing');
    expect(one.size).toBe(3);
    one.sweep();
    expect(one.size).toBe(3);
    world.now += 5_000;
    await one.take(BOB, 'send');
    one.sweep();
    expect(one.size).toBe(1);
  });

  it('limits nothing that is switched off', async () => {
    const { one, asked } = setUp(readRates('off')!);
    for (const { name, burst } of names) {
      expect(await tries(() => one.take(ANN, name), burst + 5)).toBe(burst + 5);
    }
    expect(asked).toEqual([]);
  });
});

describe('readRates', () => {
  it('changes what is named, and an own share with it', () => {
    const rates = readRates('send=600/30, contact=0/0')!;
    expect(rates.send).toEqual({
      per: 'user',
      perMinute: 600,
      burst: 30,
      own: { perMinute: 60, burst: 5 },
    });
    expect(rates.contact.perMinute).toBe(0);
    expect(readRates('send=5/5')!.send).toEqual({ per: 'user', perMinute: 5, burst: 5 });
    expect(rates.upload).toEqual(RATES.upload);
    expect(readRates('')).toEqual(RATES);
  });

  it.each([
    'send',
    'send=1',
    'nosuch=1/1',
    'send=1/0',
    'auth=1/1',
    'toString=1/1',
    'OFF',
    'send=-1/1',
  ])('cannot read %s', (setting) => expect(readRates(setting)).toBeNull());
});
