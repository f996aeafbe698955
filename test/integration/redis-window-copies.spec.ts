import type { RedisClient } from '@tidings/common/redis/client';
import { KEYS, TTL } from '@tidings/common/redis/keys';
import { WindowCopies } from '@tidings/common/redis/window-copies';
import { RedisRig } from './redis-harness';

describe('redis: copies of windows', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let copies: WindowCopies;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    copies = new WindowCopies(client);
  });
  afterAll(() => rig?.stop());

  it('keeps bytes as they are, by epoch and partition, in their order', async () => {
    const [one, two] = [Buffer.from([0, 255, 10, 13]), Buffer.from([7])];
    await copies.add(
      1,
      new Map([
        [3, one],
        [4, two],
      ]),
    );
    await copies.add(1, new Map([[3, two]]));
    expect(await copies.read({ epoch: 1, partition: 3 })).toEqual([one, two]);
    expect(await copies.read({ epoch: 1, partition: 4 })).toEqual([two]);
    expect(await copies.read({ epoch: 2, partition: 3 })).toEqual([]);
    await copies.forget({ epoch: 1, partition: 3 });
    expect(await copies.read({ epoch: 1, partition: 3 })).toEqual([]);
  });

  it('is bounded in number and time, and keeps the newest', async () => {
    for (let n = 0; n < 200; n++) await copies.add(5, new Map([[0, Buffer.from([n])]]));
    const kept = await copies.read({ epoch: 5, partition: 0 });
    expect([kept.length, kept[0]![0], kept.at(-1)![0]]).toEqual([180, 20, 199]);
    const ttl = await client.ttl(KEYS.window(5, 0));
    expect(ttl).toBeGreaterThan(TTL.window - 60);
    expect(ttl).toBeLessThanOrEqual(TTL.window);
  });
});
