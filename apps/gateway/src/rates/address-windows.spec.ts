import { AddressWindows } from './address-windows';

function setUp() {
  const world = { now: 0, away: false, alone: 0, hits: 0, asked: 0 };
  const windows = new AddressWindows({
    shared: {
      count: (_name, _network, add) => {
        world.asked += 1;
        if (world.away) return Promise.reject(new Error('Redis is away'));
        world.hits += add;
        return Promise.resolve({ hits: world.hits, leftMs: 1 });
      },
    },
    alone: () => void (world.alone += 1),
    refused: () => undefined,
    clock: () => world.now,
  });
  return { windows, world };
}

describe('AddressWindows', () => {
  it('counts with the other gateways, and for itself while Redis is away', async () => {
    const { windows, world } = setUp();
    world.hits = 40;
    expect(await windows.ofAddress('auth', '10.0.0.1', 50)).toEqual({ hits: 41, leftMs: 1 });
    // as it was told, until that window is over
    world.away = true;
    expect(await windows.ofAddress('auth', '10.0.0.1', 50)).toEqual({ hits: 42, leftMs: 1 });
    world.now += 500;
    expect(await windows.ofAddress('auth', '10.0.0.1', 50)).toEqual({ hits: 1, leftMs: 60_000 });
    // a Redis that was away is not asked again at once
    expect([world.asked, world.alone]).toEqual([2, 2]);
    world.away = false;
    world.now += 1_000;
    expect((await windows.ofAddress('auth', '10.0.0.1', 50)).hits).toBe(42);
  });

  it('refuses a flood without asking Redis, until the window that all share is over', async () => {
    const { windows, world } = setUp();
    world.hits = 48;
    const hits = async () => (await windows.ofAddress('auth', '10.0.0.1', 50)).hits;
    for (let n = 0; n < 100; n++) await hits();
    expect(world.asked).toBe(2);
    expect(await hits()).toBeGreaterThan(50);
    world.now += 2;
    world.hits = 0;
    expect(await hits()).toBe(1);
  });

  it('begins a window with the first hit; a look adds none', async () => {
    const { windows, world } = setUp();
    world.away = true;
    expect((await windows.ofAddress('failed', 'a', 50, 0)).hits).toBe(0);
    expect((await windows.ofAddress('failed', 'a', 50)).hits).toBe(1);
    expect((await windows.ofAddress('failed', 'a', 50, 0)).hits).toBe(1);
    expect((await windows.ofAddress('failed', 'b', 50, 0)).hits).toBe(0);
    world.now += 60_000;
    expect((await windows.ofAddress('failed', 'a', 50)).hits).toBe(1);
  });

  it('counts devices apart from one another and from addresses', () => {
    const { windows } = setUp();
    expect([1, 2, 3].map(() => windows.ofDevice('request', 'a').hits)).toEqual([1, 2, 3]);
    expect(windows.ofDevice('request', 'b').hits).toBe(1);
    expect(windows.ofDevice('auth', 'a').hits).toBe(1);
  });
});
