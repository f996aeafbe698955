import { createLogger } from '@tidings/common/runtime/logger';
import { ExpirySweep, type ExpirySweepParts } from './expiry-sweep';

const DAYS_90 = 90 * 24 * 3600;

function setUp(over: Partial<ExpirySweepParts> = {}) {
  const steps: string[] = [];
  const world = { now: 0, cleared: 0, expired: [] as number[], tombstones: [] as number[] };
  const parts: ExpirySweepParts = {
    expiry: {
      clear: (limit) => {
        steps.push(`clear ${limit}`);
        return Promise.resolve(world.expired.shift() ?? 0);
      },
      removeTombstones: (age) => {
        steps.push(`remove ${age}`);
        return Promise.resolve(world.tombstones.shift() ?? 0);
      },
    },
    isLeader: () => true,
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
    expect(steps).toEqual([...Array<string>(3).fill('clear 500'), `remove ${DAYS_90}`]);
    expect(world.cleared).toBe(1_003);
  });

  it('looks through tombstones once a minute, again at once when it did not come to their end', async () => {
    let leads = 0;
    const { sweep, steps, world } = setUp({ isLeader: () => leads++ !== 2 });
    world.tombstones = [500];
    await sweep.sweep();
    await sweep.sweep();
    world.now = 59_999;
    await sweep.sweep();
    world.now = 60_000;
    await sweep.sweep();
    expect(steps.filter((step) => step.startsWith('remove'))).toHaveLength(3);
  });

  it('does nothing when it does not lead, and stops between two steps when it leads no more', async () => {
    const outsider = setUp({ isLeader: () => false });
    await outsider.sweep.sweep();
    expect(outsider.steps).toEqual([]);
    let leads = 0;
    const former = setUp({ isLeader: () => leads++ === 0 });
    former.world.expired = [500, 500];
    await former.sweep.sweep();
    expect(former.steps).toEqual(['clear 500']);
  });

  it('tries again after a failure, and ends with stop', async () => {
    let calls = 0;
    const { sweep } = setUp({
      expiry: {
        clear: () => Promise.reject(new Error(`away ${++calls}`)),
        removeTombstones: () => Promise.resolve(0),
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
