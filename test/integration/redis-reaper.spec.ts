import { Boots } from '@tidings/common/redis/boots';
import type { RedisClient } from '@tidings/common/redis/client';
import { Inbox, InboxWriter } from '@tidings/common/redis/inbox';
import { KEYS } from '@tidings/common/redis/keys';
import { GatewayLease } from '@tidings/common/redis/lease';
import { Routes, type Route } from '@tidings/common/redis/routes';
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { Reaper } from '../../apps/presence/src/reaper';
import { RedisRig } from './redis-harness';

const GENERATION = '1763720000000000';
const LEASE_MS = 60_000;
/** Users that are ended in two steps. */
const MANY = 600;

const TAKEN = { ok: true, partition: 0, offset: 0n, timestamp: 0, again: false } as const;

interface Told {
  userId: string;
  gatewayId: string;
  bootId: string;
  at: string;
}

describe('what a dead gateway leaves', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let routes: Routes;
  let leases: GatewayLease;
  let boots: Boots;
  let told: Told[];
  let leads: boolean;
  let logTakes: boolean;
  let failures: number;
  let gateways = 0;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    routes = new Routes(client);
    leases = new GatewayLease(client);
    boots = new Boots(client);
  }, 240_000);
  afterAll(() => rig?.stop());
  beforeEach(() => {
    told = [];
    leads = true;
    logTakes = true;
    failures = 0;
  });

  const reaper = (): Reaper =>
    new Reaper({
      leads: () => leads,
      boots,
      leases,
      routes,
      writer: {
        append: ({ value }, settle) => {
          if (logTakes) told.push(JSON.parse(String(value)) as Told);
          settle(logTakes ? TAKEN : { ok: false, reason: 'stopped' });
          return true;
        },
      },
      metrics: { reaped: () => undefined, reapFailed: () => (failures += 1) },
      logger: pino({ level: 'silent' }),
      now: Date.now,
    });

  /** A gateway with an inbox and so many users; it gives its lease back when it dies. */
  async function gateway(
    users: number,
  ): Promise<{ boot: { gatewayId: string; bootId: string }; of: Route[] }> {
    const boot = { gatewayId: `gateway-${++gateways}`, bootId: `boot-${gateways}` };
    await leases.claim(boot.gatewayId, boot.bootId, LEASE_MS);
    await boots.register(boot);
    await new Inbox(client, client, boot).create();
    const of = Array.from({ length: users }, (_, n) => ({
      userId: randomUUID(),
      deviceId: randomUUID(),
      ...boot,
      connectionId: `c${n}`,
      generation: GENERATION,
    }));
    await routes.putAll(of);
    return { boot, of };
  }
  const looks = async (one: Reaper, times: number): Promise<void> => {
    for (let n = 0; n < times; n++) await one.look();
  };
  const routesOf = async (of: readonly Route[]): Promise<Route[]> =>
    (await routes.lookup(of.map(({ userId }) => userId))).flat();

  it('is ended at the second look: users told, routes, inbox and name deleted, the boot id never valid again', async () => {
    const dead = await gateway(MANY);
    const alive = await gateway(3);
    await leases.release(dead.boot.gatewayId, dead.boot.bootId);
    const one = reaper();
    await looks(one, 1);
    expect(await routesOf(dead.of)).toHaveLength(MANY);
    expect(told).toEqual([]);
    const lastAlive = await leases.lastAlive([dead.boot]);
    await looks(one, 1);
    expect(told.map(({ userId }) => userId).sort()).toEqual(
      dead.of.map(({ userId }) => userId).sort(),
    );
    expect(new Set(told.map(({ at }) => Date.parse(at)))).toEqual(new Set(lastAlive));
    expect(await routesOf(dead.of)).toEqual([]);
    const { gatewayId, bootId } = dead.boot;
    expect((await client.keys(`{g:${gatewayId}}:*`)).sort()).toEqual([
      KEYS.bootAlive(gatewayId, bootId),
      KEYS.deadBoot(gatewayId, bootId),
    ]);
    const gone = [{ ...dead.boot, payload: 'x' }];
    expect(await new InboxWriter(client).append(gone)).toEqual(['gone']);
    expect(await leases.claim(gatewayId, bootId, LEASE_MS)).toEqual({
      claimed: false,
      holder: null,
    });
    expect(await boots.all()).not.toContainEqual(dead.boot);
    // the others are as they were
    expect(await routesOf(alive.of)).toEqual(alive.of);
    expect(await boots.all()).toContainEqual(alive.boot);
  });

  it('is nothing of those who have gone on elsewhere or have left', async () => {
    const { boot, of } = await gateway(3);
    const [moved, left, stayed] = of as [Route, Route, Route];
    const elsewhere = {
      ...moved,
      gatewayId: 'gateway-x',
      connectionId: 'cx',
      generation: String(Number(GENERATION) + 1),
    };
    await routes.put(elsewhere);
    await routes.remove(left);
    await leases.release(boot.gatewayId, boot.bootId);
    await looks(reaper(), 2);
    expect(told.map(({ userId }) => userId)).toEqual([stayed.userId]);
    expect(await routesOf(of)).toEqual([elsewhere]);
  });

  it('stays whole while the log takes nothing, and is ended when it does', async () => {
    const { boot, of } = await gateway(2);
    await leases.release(boot.gatewayId, boot.bootId);
    const one = reaper();
    logTakes = false;
    await looks(one, 3);
    expect(await routesOf(of)).toHaveLength(2);
    expect(failures).toBe(2);
    logTakes = true;
    await looks(one, 1);
    expect(told).toHaveLength(2);
    expect(await routesOf(of)).toEqual([]);
  });

  it('is left to who leads, and to a gateway that writes its routes anew itself', async () => {
    const { boot, of } = await gateway(2);
    await leases.release(boot.gatewayId, boot.bootId);
    const one = reaper();
    leads = false;
    await looks(one, 3);
    leads = true;
    await looks(one, 1);
    await boots.unregister(boot);
    await looks(one, 3);
    expect(told).toEqual([]);
    expect(await routesOf(of)).toEqual(of);
  });

  it('is not ended while a boot is without its lease for one look only', async () => {
    const { boot, of } = await gateway(1);
    const one = reaper();
    for (let n = 0; n < 3; n++) {
      await leases.release(boot.gatewayId, boot.bootId);
      await looks(one, 1);
      expect(await leases.claim(boot.gatewayId, boot.bootId, LEASE_MS)).toEqual({ claimed: true });
      await looks(one, 1);
    }
    expect(await routesOf(of)).toEqual(of);
  });

  it('lists no route that was refused, and each that is written, until it is removed', async () => {
    const { boot, of } = await gateway(2);
    const [first, second] = of as [Route, Route];
    const older = { ...first, connectionId: 'old', generation: '5' };
    expect(await routes.put(older)).toEqual({ written: false, newer: true });
    expect(await boots.routesOf(boot, 10)).toHaveLength(2);
    expect(await boots.routesOf(boot, 10)).toEqual(expect.arrayContaining(of));
    await routes.removeAll([second]);
    expect(await boots.routesOf(boot, 10)).toEqual([first]);
    await boots.end(boot);
  });
});
