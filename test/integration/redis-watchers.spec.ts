import { KEYS, TTL } from '@tidings/common/redis/keys';
import type { RedisClient } from '@tidings/common/redis/client';
import { GatewayLease } from '@tidings/common/redis/lease';
import { PresencePartitions } from '@tidings/common/redis/presence-partitions';
import { PresenceStates } from '@tidings/common/redis/presence-states';
import { Watchers } from '@tidings/common/redis/watchers';
import { randomUUID } from 'node:crypto';
import { RedisRig } from './redis-harness';

describe('redis: presence and its watchers', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let partition = 0;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
  });
  afterAll(() => rig?.stop());
  beforeEach(() => void partition++);

  it('knows the gateways that watch a user, for as long as they renew', async () => {
    const watchers = new Watchers(client);
    const [a, b] = [randomUUID(), randomUUID()];
    const boots = [
      { gatewayId: 'g', bootId: '1' },
      { gatewayId: 'h', bootId: '2' },
    ] as const;
    await watchers.add([a, b], boots[0]);
    await watchers.add([a], boots[1]);
    const [ofA, ofB, ofNobody] = await watchers.of([a, b, randomUUID()]);
    expect(ofA).toEqual(expect.arrayContaining([...boots]));
    expect([ofB, ofNobody]).toEqual([[boots[0]], []]);
    expect(await client.pttl(KEYS.watchers(a))).toBeGreaterThan((TTL.watchers - 10) * 1000);
    await watchers.remove([a], boots[0]);
    expect(await watchers.of([a])).toEqual([[boots[1]]]);
  });

  it('remembers when a boot gave its last sign of life, also when its lease is gone', async () => {
    const lease = new GatewayLease(client);
    const boot = { gatewayId: `g${partition}`, bootId: 'b' };
    const before = Date.now();
    await lease.claim(boot.gatewayId, boot.bootId, 60_000);
    const [claimed] = await lease.lastAlive([boot]);
    expect(claimed).toBeGreaterThanOrEqual(before - 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await lease.renew(boot.gatewayId, boot.bootId, 60_000);
    await lease.release(boot.gatewayId, boot.bootId);
    const [renewed, never] = await lease.lastAlive([boot, { ...boot, bootId: 'c' }]);
    expect(renewed).toBeGreaterThan(claimed!);
    expect(never).toBeNull();
  });

  it('stores a state only behind the one that was read, with versions that rise', async () => {
    const states = new PresenceStates(client);
    const userId = randomUUID();
    const write = (stamp: string, tells: boolean, mayEnd = false) =>
      states.write([{ userId, stamp, state: '{}', tells, mayEnd }]).then(([version]) => version);
    const first = await write('0', true);
    expect(await write('0', true)).toBeNull();
    const { stored, atUs } = await states.read([userId]);
    expect(stored[0]).toMatchObject({ version: first, state: '{}' });
    expect(atUs).toBeGreaterThan(first!);
    expect(await write(stored[0]!.stamp, false, true)).toBe(first);
    expect(await client.pttl(KEYS.presence(userId))).toBeGreaterThan(0);
    expect(await write(stored[0]!.stamp, true)).toBeNull();
    const next = await states.read([userId]);
    expect(await write(next.stored[0]!.stamp, true)).toBeGreaterThan(first!);
    expect(await client.pttl(KEYS.presence(userId))).toBe(-1);
    // Redis was emptied meanwhile: what was read before is no ground to write on
    await client.del(KEYS.presence(userId));
    expect(await write(next.stored[0]!.stamp, true)).toBeNull();
  });

  it('lets one process keep the indexes of a partition: the last that claimed it', async () => {
    const partitions = new PresencePartitions(client);
    const due = (member: string, score: number | null) => [
      { index: 'due' as const, member, score },
    ];
    const old = await partitions.claim(partition, true);
    await partitions.index(partition, old.term, due('a', 5));
    const next = await partitions.claim(partition, false);
    expect([old.sinceMs, next.sinceMs]).toEqual([0, 0]);
    await expect(partitions.index(partition, old.term, due('b', 5))).rejects.toThrow(
      'kept elsewhere',
    );
    await partitions.index(partition, next.term, due('b', 7));
    expect(await partitions.due(partition, 6, 10)).toEqual(['a']);
    expect(await partitions.due(partition, 7, 1)).toEqual(['a']);
    await partitions.index(partition, next.term, due('a', null));
    expect(await partitions.due(partition, 9, 10)).toEqual(['b']);
    await client.del(KEYS.presenceKeeper(partition));
    expect(await partitions.wholeSince([partition])).toEqual([null]);
    await expect(partitions.index(partition, next.term, due('b', 5))).rejects.toThrow(
      'nobody keeps',
    );
    const after = await partitions.claim(partition, false);
    expect(after.sinceMs).toBeGreaterThan(Date.now() - 5_000);
    expect(Number(after.term)).toBeGreaterThan(Number(next.term));
  });

  it('finds users by the boot that they are connected to, and whose clocks are not kept', async () => {
    const partitions = new PresencePartitions(client);
    const { term } = await partitions.claim(partition, true);
    const on = (member: string) => ({ index: 'boots' as const, member, score: 0 });
    await partitions.index(partition, term, [
      on('g|b|u1'),
      on('g|b|u2'),
      on('g|b2|u3'),
      on('h|b|u1'),
    ]);
    const boots = await partitions.boots(partition, 10);
    expect(boots.map(({ gatewayId, bootId }) => `${gatewayId} ${bootId}`)).toEqual([
      'g b2',
      'g b',
      'h b',
    ]);
    expect(await partitions.usersOn(partition, boots[1]!, 10)).toEqual(['u1', 'u2']);
    expect(await partitions.usersOn(partition, boots[0]!, 10)).toEqual(['u3']);
    const clock = (score: number) => [{ index: 'clocks' as const, member: 'u1', score }];
    await partitions.index(partition, term, clock(5));
    const found = await partitions.clocks(partition, 0, 10);
    await partitions.index(partition, term, clock(6));
    await partitions.clocksKept(partition, found);
    expect(await partitions.clocks(partition, 0, 10)).toEqual([{ userId: 'u1', score: '6' }]);
    await partitions.clocksKept(partition, await partitions.clocks(partition, 0, 10));
    expect(await partitions.clocks(partition, 0, 10)).toEqual([]);
  });
});
