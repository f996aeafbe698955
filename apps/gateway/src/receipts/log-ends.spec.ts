import type { Barrier } from '@tidings/common/rpc/calls';
import { LogPositions } from '../send/log-positions';
import { LogEnds } from './log-ends';

/** Ends over a log of two partitions whose barrier is what the test sets. */
function setUp(barrier: Barrier | null) {
  const world = { barrier, calls: 0, now: 0 };
  const ends = new LogEnds({
    barrier: {
      take: () => {
        world.calls++;
        return Promise.resolve(world.barrier);
      },
    } as never,
    positions: LogPositions.of({ epoch: 1, bases: [1000n, 1n] }),
    partitionOf: (id) => Number(id),
    clock: () => world.now,
  });
  return { ends, world };
}

describe('LogEnds', () => {
  it('takes a barrier for what is above the last known end, and none below it', async () => {
    const { ends, world } = setUp(['10', '99']);
    expect(ends.covers('0', '5')).toBe(false);
    expect(await ends.reaches('0', '1009')).toBe(true);
    expect(ends.covers('0', '1009')).toBe(true);
    expect(ends.covers('0', '1010')).toBe(false);
    expect(await ends.reaches('1', '99')).toBe(true);
    expect(world.calls).toBe(1);
    world.now = 1_000;
    expect(await ends.reaches('0', '1010')).toBe(false);
    expect(world.calls).toBe(2);
  });

  it('asks once for everybody who waits', async () => {
    const { ends, world } = setUp(['10', '99']);
    const asked = Array.from({ length: 50 }, (_, i) => ends.reaches('1', String(i + 60)));
    expect((await Promise.all(asked)).filter((a) => a === true)).toHaveLength(40);
    expect(world.calls).toBe(1);
  });

  it('does not ask again before its pause is over', async () => {
    const { ends, world } = setUp(['10', '99']);
    await ends.reaches('0', '1001');
    world.barrier = ['20', '99'];
    const began = performance.now();
    expect(await ends.reaches('0', '1015')).toBe(true);
    expect(performance.now() - began).toBeGreaterThan(50);
    expect(world.calls).toBe(2);
  });

  it('says so when Kafka cannot tell, of all or of one partition', async () => {
    const { ends, world } = setUp(null);
    expect(await ends.reaches('0', '1001')).toBeNull();
    world.barrier = [null, '99'];
    world.now = 1_000;
    expect(await ends.reaches('0', '1001')).toBeNull();
    world.now = 2_000;
    expect(await ends.reaches('1', '100')).toBe(false);
  });
});
