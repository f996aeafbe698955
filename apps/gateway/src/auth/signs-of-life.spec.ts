import type { Connection } from '../socket/connection';
import { SignsOfLife } from './signs-of-life';

function setUp() {
  const world = { now: 0, away: false, connections: [] as Partial<Connection>[] };
  const told: { userId: string; deviceId: string; agoMs: number }[][] = [];
  const signs = new SignsOfLife({
    connections: () => world.connections as Connection[],
    storage: {
      call: ((_name: string, { items }: { items: (typeof told)[0] }) => {
        if (world.away) return Promise.reject(new Error('away'));
        told.push(items);
        return Promise.resolve({});
      }) as never,
    },
    logger: { debug: () => undefined } as never,
    clock: () => world.now,
  });
  return { signs, world, told };
}

describe('SignsOfLife', () => {
  it('tells of calls and sockets, each sign once, the later one of a device', async () => {
    const { signs, world, told } = setUp();
    world.now = 1_000;
    signs.used({ userId: 'u', deviceId: 'called' });
    signs.used({ userId: 'u', deviceId: 'both' });
    world.connections = [
      { userId: 'u', deviceId: 'both', lastSeenAt: 4_000, ended: false },
      { userId: 'v', deviceId: 'open', lastSeenAt: 3_000, ended: false },
      { userId: 'v', deviceId: 'gone', lastSeenAt: 3_000, ended: true },
    ];
    world.now = 5_000;
    await signs.tell();
    await signs.tell();
    world.now = 9_000;
    world.connections[1]!.lastSeenAt = 8_000;
    await signs.tell();
    expect(told).toEqual([
      [
        { userId: 'u', deviceId: 'called', agoMs: 4_000 },
        { userId: 'u', deviceId: 'both', agoMs: 1_000 },
        { userId: 'v', deviceId: 'open', agoMs: 2_000 },
      ],
      [{ userId: 'v', deviceId: 'open', agoMs: 1_000 }],
    ]);
  });

  it('tells again what storage did not take, a thousand at a time', async () => {
    const { signs, world, told } = setUp();
    world.away = true;
    for (let i = 0; i < 1_001; i++) signs.used({ userId: 'u', deviceId: `d${i}` });
    await expect(signs.tell()).rejects.toThrow('away');
    world.away = false;
    await signs.tell();
    expect(told.map((items) => items.length)).toEqual([1_000, 1]);
  });

  it('holds a bounded number of devices', async () => {
    const { signs, told } = setUp();
    for (let i = 0; i < 50_002; i++) signs.used({ userId: 'u', deviceId: `d${i}` });
    await signs.tell();
    expect(told.flat()).toHaveLength(50_000);
  });
});
