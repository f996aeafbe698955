import { createLogger } from '@tidings/common/runtime/logger';
import { WriteQueue } from '../socket/write-queue';
import { fakeConnection } from '../testing/fake-connection';
import { DelayedSyncs } from './delayed-syncs';
import { ReadBarrier } from './read-barrier';

// Jest's clock does not reach the timers of this module.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
}));

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function setUp() {
  const world = { kafka: [5n, 7n] as (bigint | null)[] | 'away', applied: ['5', '6'] };
  const calls = { barriers: 0, states: 0 };
  const failed = jest.fn();
  const delayed = new DelayedSyncs({
    storage: {
      call: (() => {
        calls.states += 1;
        return Promise.resolve({ epoch: 1, bases: [], applied: world.applied });
      }) as never,
    },
    barrier: new ReadBarrier({
      barrier: () => {
        calls.barriers += 1;
        const { kafka } = world;
        return kafka === 'away' ? Promise.reject(new Error('away')) : Promise.resolve(kafka);
      },
    }),
    writes: new WriteQueue({ overflow: jest.fn() }),
    logger: createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' }),
    failed,
    clock: () => performance.now(),
  });
  return { delayed, world, calls, failed };
}

const after = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('DelayedSyncs', () => {
  it('sends resync once storage has passed one barrier taken for all, not before 5 s', async () => {
    const { delayed, world } = setUp();
    const [a, b] = [fakeConnection(), fakeConnection()];
    delayed.add(a.connection);
    delayed.add(b.connection);
    await after(7_000);
    expect(a.frames).toEqual([]);
    world.applied = ['5', '7'];
    await after(2_000);
    for (const { frames } of [a, b]) {
      expect(frames.map((f) => JSON.parse(f) as unknown)).toEqual([
        { type: 'resync', reason: 'delayed', withinMs: 5_000 },
      ]);
    }
  });

  it('tells the others when telling one throws', async () => {
    const { delayed, world, failed } = setUp();
    const [a, b] = [fakeConnection(), fakeConnection()];
    const defect = new Error('a defect');
    a.connection.raw.cork = () => {
      throw defect;
    };
    delayed.add(a.connection);
    delayed.add(b.connection);
    world.applied = ['5', '7'];
    await after(7_000);
    expect(b.frames).toHaveLength(1);
    expect(failed.mock.calls).toEqual([[a.connection, defect]]);
    delayed.stop();
  });

  it('waits 5 s after the answer even when storage is there at once', async () => {
    const { delayed, world } = setUp();
    world.applied = ['5', '7'];
    const { connection, frames } = fakeConnection();
    delayed.add(connection);
    await after(4_500);
    expect(frames).toEqual([]);
    await after(1_500);
    expect(frames).toHaveLength(1);
  });

  it.each([
    { name: 'Kafka is away', kafka: 'away' as const },
    { name: 'a partition has no leader', kafka: [5n, null] },
  ])('keeps asking while $name', async ({ kafka }) => {
    const { delayed, world, calls } = setUp();
    world.kafka = kafka;
    world.applied = ['5', '7'];
    const { connection, frames } = fakeConnection();
    delayed.add(connection);
    await after(10_000);
    expect(frames).toEqual([]);
    expect(calls.barriers).toBeGreaterThan(5);
    world.kafka = [5n, 7n];
    await after(2_000);
    expect(frames).toHaveLength(1);
  });

  it('asks nobody when nobody waits', async () => {
    const { delayed, calls, world } = setUp();
    world.applied = ['5', '7'];
    const { connection } = fakeConnection();
    connection.ended = true;
    delayed.add(connection);
    await after(2_000);
    const { barriers } = calls;
    await after(10_000);
    expect(calls.barriers).toBe(barriers);
  });
});
