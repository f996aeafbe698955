import type { RoutedMark } from '@tidings/common/redis/routed-marks';
import { RoutingTimes } from './routing-times';

function setUp() {
  const world = { now: 1_000, failing: false };
  const added: [number, RoutedMark[]][] = [];
  const failures: unknown[] = [];
  const marks = {
    add: async (given: ReadonlyMap<number, readonly RoutedMark[]>) => {
      if (world.failing) throw new Error('away');
      for (const [partition, own] of given) {
        added.push([partition, own.map(({ from, next, atMs }) => ({ from, next, atMs }))]);
      }
    },
  };
  const times = new RoutingTimes(
    marks,
    () => world.now,
    (error) => failures.push(error),
  );
  const note = (partition: number, from: number, next: number): void =>
    times.note(partition, { from: BigInt(from), next: BigInt(next) });
  return { world, added, failures, times, note };
}

describe('RoutingTimes', () => {
  it('joins batches that follow each other at once, up to 50 ms', async () => {
    const { world, added, times, note } = setUp();
    note(0, 1, 5);
    world.now = 1_030;
    note(0, 5, 7);
    world.now = 1_050;
    note(0, 7, 8);
    note(1, 3, 4);
    await times.flush();
    expect(added).toEqual([
      [
        0,
        [
          { from: 1n, next: 7n, atMs: 1_030 },
          { from: 7n, next: 8n, atMs: 1_050 },
        ],
      ],
      [1, [{ from: 3n, next: 4n, atMs: 1_050 }]],
    ]);
  });

  it('joins nothing over a gap: what was not routed is not told', async () => {
    const { added, times, note } = setUp();
    note(0, 1, 5);
    note(0, 9, 10);
    await times.flush();
    expect(added[0]![1].map(({ from, next }) => [from, next])).toEqual([
      [1n, 5n],
      [9n, 10n],
    ]);
  });

  it('hands over by itself, and keeps nothing that Redis did not take', async () => {
    jest.useFakeTimers();
    try {
      const { world, added, failures, note } = setUp();
      world.failing = true;
      note(0, 1, 2);
      await jest.advanceTimersByTimeAsync(1_000);
      world.failing = false;
      note(0, 2, 3);
      await jest.advanceTimersByTimeAsync(1_000);
      expect(failures).toHaveLength(1);
      expect(added).toEqual([[0, [{ from: 2n, next: 3n, atMs: 1_000 }]]]);
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('is bounded while nobody takes it', async () => {
    const { world, added, times, note } = setUp();
    for (let i = 0; i < 300; i++) {
      world.now += 60;
      note(0, i, i + 1);
    }
    await times.flush();
    expect(added[0]![1]).toHaveLength(200);
  });
});
