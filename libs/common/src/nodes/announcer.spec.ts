import type { NodeEntry } from '../redis/directory';
import { Announcer } from './announcer';

const FACTS = {
  service: 'storage' as const,
  id: 'storage-1',
  bootId: 'b',
  version: '1',
  lag: {},
};

function setUp() {
  const states: string[] = [];
  const lines: string[] = [];
  const world = {
    ready: false,
    away: false,
    skewMs: 0,
    removed: 0,
    skewSeconds: (): number => NaN,
  };
  const announcer = new Announcer<NodeEntry>({
    directory: {
      announce: ({ state }) => {
        if (world.away) return Promise.reject(new Error('Redis is away'));
        states.push(state);
        return Promise.resolve({ at: 0, skewMs: world.skewMs });
      },
      remove: () => {
        world.removed += 1;
        return Promise.resolve();
      },
    },
    nodeId: 'storage-1',
    facts: () => FACTS,
    isReady: () => world.ready,
    logger: {
      warn: ((_: object, text: string) => void lines.push(`warn: ${text}`)) as never,
      info: ((_: object, text: string) => void lines.push(`info: ${text}`)) as never,
    },
    metrics: {
      gauge: ((_name: string, _help: string, { collect }: { collect: () => number }) => {
        world.skewSeconds = collect;
      }) as never,
    },
  });
  return { announcer, states, lines, world };
}

describe('Announcer', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('says each second whether the node joins, is ready or drains, until it is withdrawn', async () => {
    const { announcer, states, world } = setUp();
    await announcer.start('http://127.0.0.1:1');
    world.ready = true;
    await jest.advanceTimersByTimeAsync(1_000);
    await announcer.drain();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(states).toEqual(['joining', 'ready', 'draining', 'draining']);
    await announcer.withdraw();
    await jest.advanceTimersByTimeAsync(5_000);
    expect([states.length, world.removed]).toEqual([4, 1]);
  });

  it('tells of a third announcement in a row without an answer, and of the end of that', async () => {
    const { announcer, world } = setUp();
    await announcer.start('http://127.0.0.1:1');
    world.away = true;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(announcer.problem()).toBeNull();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(announcer.problem()).toBe('announcements are not answered');
    world.away = false;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(announcer.problem()).toBeNull();
  });

  it("warns once of a clock that is more than a second from Redis', and shows it", async () => {
    const { announcer, lines, world } = setUp();
    world.skewMs = 900;
    await announcer.start('http://127.0.0.1:1');
    expect(lines).toEqual([]);
    world.skewMs = -5_000;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(world.skewSeconds()).toBe(-5);
    world.skewMs = 0;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(lines).toEqual([
      "warn: this node's clock is not that of Redis",
      "info: this node's clock is that of Redis again",
    ]);
  });
});
