import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { Route, Routes } from '@tidings/common/redis/routes';
import type { DeviceLogins } from '@tidings/common/redis/logins';
import { createLogger } from '@tidings/common/runtime/logger';
import type { Connection } from './connection';
import { ConnectionTable } from './connection-table';
import { WriteQueue } from './write-queue';
import { fakeConnection } from '../testing/fake-connection';
import { RouteKeeper } from './route-keeper';

interface World {
  /** Whether a renewal finds its route, and whether a new one can be written. */
  renewed: boolean;
  written: boolean;
  login: number | null;
  storageLogin: boolean | 'away';
  redisAway: boolean;
  rebooting: boolean;
}

function setUp(over: Partial<World> = {}) {
  const world: World = {
    renewed: true,
    written: true,
    login: 1,
    storageLogin: true,
    redisAway: false,
    rebooting: false,
    ...over,
  };
  const table = new ConnectionTable();
  const put: Route[] = [];
  const renewed: string[] = [];
  const closes: { id: string; code: number }[] = [];
  const guard = <T>(value: T): Promise<T> =>
    world.redisAway ? Promise.reject(new Error('away')) : Promise.resolve(value);
  const routes = {
    renew: (all: Route[]) => {
      renewed.push(...all.map(({ connectionId }) => connectionId));
      return guard(all.map(() => world.renewed));
    },
    putAll: (all: Route[]) => {
      if (!world.redisAway) put.push(...all);
      return guard(all.map(() => ({ written: world.written, replaced: null })));
    },
    remove: () => guard(true),
  } as unknown as Routes;
  const logins = {
    getAll: (all: unknown[]) => guard(all.map(() => world.login)),
  } as unknown as DeviceLogins;
  const written: string[] = [];
  const keeper = new RouteKeeper({
    gatewayId: 'g',
    bootId: () => 'new',
    rebooting: () => world.rebooting,
    routes,
    logins,
    isLoggedIn: () =>
      world.storageLogin === 'away'
        ? Promise.reject(new Error('away'))
        : Promise.resolve(world.storageLogin),
    closeOf: () => Promise.resolve({ code: CLOSE_CODES.loggedOut, reason: 'logged out' }),
    table,
    writes: new WriteQueue({ overflow: jest.fn() }),
    logger: createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' }),
    close: (connection: Connection, code: number) => {
      connection.ended = true;
      table.remove(connection);
      closes.push({ id: connection.id, code });
    },
    written: (connection) => void written.push(connection.id),
  });
  const add = (id: string) => {
    const fake = fakeConnection({ id });
    fake.connection.bootId = 'old';
    fake.connection.welcomed = true;
    table.add(fake.connection);
    return fake;
  };
  return { keeper, world, table, renewed, put, closes, written, add };
}

const never = (): boolean => false;

describe('RouteKeeper.step', () => {
  it('renews each route once in twenty steps', async () => {
    const { keeper, add, renewed, put, closes } = setUp();
    const ids = Array.from({ length: 45 }, (_, i) => `c${i}`);
    ids.forEach(add);
    for (let i = 0; i < 20; i++) await keeper.step();
    expect(renewed.slice(0, 45)).toEqual(ids);
    expect([put, closes]).toEqual([[], []]);
  });

  it('renews each route, however fast others connect and leave', async () => {
    const { keeper, add, table, renewed } = setUp();
    const ids = Array.from({ length: 5 }, (_, i) => `c${i}`);
    ids.forEach(add);
    for (let i = 0; i < 40; i++) {
      const passing = [1, 2, 3].map((n) => add(`passing${i}-${n}`).connection);
      await keeper.step();
      for (const connection of passing) table.remove(connection);
    }
    for (const id of ids) expect(renewed.filter((one) => one === id).length).toBeGreaterThan(1);
  });

  it.each([
    { name: 'a newer one is stored', world: { renewed: false, written: false }, code: 4506 },
    { name: 'its login has ended', world: { login: 2 }, code: CLOSE_CODES.loggedOut },
    {
      name: 'storage says that its login has ended',
      world: { login: null, storageLogin: false },
      code: CLOSE_CODES.loggedOut,
    },
  ])('closes a connection when $name', async ({ world, code }) => {
    const { keeper, add, closes } = setUp(world);
    add('c1');
    await keeper.step();
    expect(closes).toEqual([{ id: 'c1', code }]);
  });

  it.each([
    { name: 'nobody can tell of its login', world: { login: null, storageLogin: 'away' } },
    { name: 'Redis is away', world: { redisAway: true } },
  ] as const)('keeps a connection when $name', async ({ world }) => {
    const { keeper, add, closes } = setUp(world);
    add('c1');
    await keeper.step();
    expect(closes).toEqual([]);
  });

  it('leaves a lost route to the new boot id that is on its way', async () => {
    const { keeper, add, put, closes } = setUp({ renewed: false, rebooting: true });
    const { frames } = add('c1');
    await keeper.step();
    expect([put, closes, frames]).toEqual([[], [], []]);
  });

  it('writes a lost route anew and has the client sync', async () => {
    const { keeper, add, put } = setUp({ renewed: false });
    const { connection, frames } = add('c1');
    await keeper.step();
    expect(put).toEqual([expect.objectContaining({ connectionId: 'c1', bootId: 'new' })]);
    expect(connection.bootId).toBe('new');
    expect(JSON.parse(frames[0]!)).toMatchObject({ type: 'resync' });
  });
});

describe('RouteKeeper.announce', () => {
  it('writes every route under the new boot id, then tells each client', async () => {
    const { keeper, add, put } = setUp();
    const all = Array.from({ length: 250 }, (_, i) => add(`c${i}`));
    await keeper.announce(never);
    expect(put).toHaveLength(250);
    expect(new Set(put.map((r) => r.bootId))).toEqual(new Set(['new']));
    expect(all.every((fake) => fake.frames.length === 1)).toBe(true);
  });

  it('tells a client that is not welcomed yet nothing', async () => {
    const { keeper, add } = setUp();
    const { connection, frames } = add('c1');
    connection.welcomed = false;
    await keeper.announce(never);
    expect(frames).toEqual([]);
    expect(connection.bootId).toBe('new');
  });

  it('closes connections whose device has a newer route', async () => {
    const { keeper, add, closes } = setUp({ written: false });
    add('c1');
    await keeper.announce(never);
    expect(closes).toEqual([{ id: 'c1', code: CLOSE_CODES.sameDeviceElsewhere }]);
  });

  it('goes on when Redis is back, and ends when yet another boot id has come', async () => {
    const { keeper, add, put, world } = setUp({ redisAway: true });
    add('c1');
    const done = keeper.announce(never);
    world.redisAway = false;
    await done;
    expect(put).toHaveLength(1);
    await keeper.announce(() => true);
    expect(put).toHaveLength(1);
  });
});
