import { createLogger } from '@tidings/common/runtime/logger';
import { ExpirySweep, type ExpirySweepParts } from './expiry-sweep';

const DAYS_90 = 90 * 24 * 3600;

function setUp(over: Partial<ExpirySweepParts> = {}) {
  const steps: string[] = [];
  const world = {
    now: 0,
    cleared: 0,
    expired: [] as (number | null)[],
    tombstones: [] as (number | null)[],
    acts: [] as number[],
  };
  const next = (all: (number | null)[]) => Promise.resolve(all.length > 0 ? all.shift()! : 0);
  const parts: ExpirySweepParts = {
    expiry: {
      clear: (limit) => {
        steps.push(`clear ${limit}`);
        return next(world.expired);
      },
      removeTombstones: (age) => {
        steps.push(`remove ${age}`);
        return next(world.tombstones);
      },
      removeActs: () => {
        steps.push('acts');
        return next(world.acts);
      },
    },
    everyMs: 1,
    cleared: (messages) => (world.cleared += messages),
    clock: () => world.now,
    logger: createLogger({ service: 'test', nodeId: 't', level: 'silent' }),
    ...over,
  };
  return { sweep: new ExpirySweep(parts), steps, world };
}

describe('ExpirySweep', () => {
  it('goes on until nothing is over any more', async () => {
    const { sweep, steps, world } = setUp();
    world.expired = [500, 500, 3];
    await sweep.sweep();
    expect(steps).toEqual([...Array<string>(3).fill('clear 500'), `remove ${DAYS_90}`, 'acts']);
    expect(world.cleared).toBe(1_003);
  });

  it('looks through tombstones once a minute, again at once when it did not come to their end', async () => {
    const { sweep, steps, world } = setUp();
    world.tombstones = [500, null];
    await sweep.sweep();
    await sweep.sweep();
    world.now = 59_999;
    await sweep.sweep();
    world.now = 60_000;
    await sweep.sweep();
    expect(steps.filter((step) => step.startsWith('remove'))).toHaveLength(4);
  });

  it('leaves to another instance what it is doing', async () => {
    const { sweep, steps, world } = setUp();
    world.expired = [500, null];
    world.tombstones = [null];
    await sweep.sweep();
    expect(steps).toEqual(['clear 500', 'clear 500', `remove ${DAYS_90}`]);
    expect(world.cleared).toBe(500);
  });

  it('tries again after a failure, and ends with stop', async () => {
    let calls = 0;
    const { sweep } = setUp({
      expiry: {
        clear: () => Promise.reject(new Error(`away ${++calls}`)),
        removeTombstones: () => Promise.resolve(0),
        removeActs: () => Promise.resolve(0),
      },
    });
    sweep.start();
    while (calls < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    await sweep.stop();
    const before = calls;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toBe(before);
  });
});
