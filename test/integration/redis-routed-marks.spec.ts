import { KEYS, TTL } from '@tidings/common/redis/keys';
import { RoutedMarks } from '@tidings/common/redis/routed-marks';
import type { RedisClient } from '@tidings/common/redis/client';
import { RedisRig } from './redis-harness';

describe('redis: marks of routing', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let marks: RoutedMarks;
  let partition = 0;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    marks = new RoutedMarks(client);
  });
  afterAll(() => rig?.stop());
  beforeEach(() => void partition++);

  const add = (...ranges: [from: bigint, next: bigint, atMs: number][]): Promise<void> =>
    marks.add(new Map([[partition, ranges.map(([from, next, atMs]) => ({ from, next, atMs }))]]));
  const times = (...positions: bigint[]) =>
    Promise.all(positions.map((position) => marks.at(partition, position)));

  it('tells the time of every position in a range, and of no other', async () => {
    await add([10n, 12n, 1_000], [12n, 13n, 1_005], [20n, 21n, 1_010]);
    expect(await times(9n, 10n, 11n, 12n, 13n, 19n, 20n, 21n)).toEqual([
      null,
      1_000,
      1_000,
      1_005,
      null,
      null,
      1_010,
      null,
    ]);
    expect(await marks.at(9_999, 10n)).toBeNull();
  });

  it('keeps the first time of what is routed again, and takes what is new of it', async () => {
    await add([10n, 15n, 1_000]);
    await add([12n, 14n, 2_000], [12n, 15n, 2_000], [12n, 18n, 2_000], [18n, 19n, 2_001]);
    expect(await times(10n, 14n, 15n, 18n)).toEqual([1_000, 1_000, 2_000, 2_001]);
  });

  it('holds positions beyond 2^53 exactly', async () => {
    const from = 2n ** 62n + 1n;
    await add([from, from + 1n, 7]);
    expect(await times(from - 1n, from, from + 1n)).toEqual([null, 7, null]);
  });

  it('is bounded in number and time', async () => {
    for (let n = 0; n < 25; n++) {
      const from = BigInt(n * 1_000);
      await add(
        ...Array.from({ length: 1_000 }, (_, i): [bigint, bigint, number] => [
          ...([from + BigInt(i), from + BigInt(i) + 1n, 1] as const),
        ]),
      );
    }
    const length = await client.xlen(KEYS.routed(partition));
    expect(length).toBeGreaterThanOrEqual(10_000);
    expect(length).toBeLessThan(11_000);
    expect(await times(0n, 24_999n)).toEqual([null, 1]);
    const ttl = await client.ttl(KEYS.routed(partition));
    expect(ttl).toBeGreaterThan(TTL.routed - 60);
    expect(ttl).toBeLessThanOrEqual(TTL.routed);
  });

  it('says when the key is no stream', async () => {
    await client.set(KEYS.routed(partition), 'x');
    await expect(add([1n, 2n, 3])).rejects.toThrow(/WRONGTYPE/);
  });
});
