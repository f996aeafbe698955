import type { RewriteOutcome } from '@tidings/common/redis/append-only-file';
import { JournalSweep } from './journal-sweep';

const HOUR_MS = 3_600_000;

function setUp(outcomes: (RewriteOutcome | Error)[] = [], leads = () => true) {
  const world = { now: 0, asked: [] as string[], counted: [] as string[], warned: [] as string[] };
  const journal = (name: string, next: () => RewriteOutcome | Error) => ({
    name,
    rewrite: () => {
      world.asked.push(name);
      const outcome = next();
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
    },
  });
  const sweep = new JournalSweep({
    journals: [
      journal('redis', () => outcomes.shift() ?? 'done'),
      journal('postgresql', () => 'done'),
    ],
    isLeader: leads,
    everyMs: HOUR_MS,
    count: (name, outcome) => world.counted.push(`${name} ${outcome}`),
    clock: () => world.now,
    logger: {
      info: () => undefined,
      warn: (_: object, text: string) => world.warned.push(text),
    } as never,
  });
  return { sweep, world };
}

describe('JournalSweep', () => {
  it('has both rewritten soon after it leads, then once an hour', async () => {
    const { sweep, world } = setUp();
    await sweep.sweep();
    world.now = HOUR_MS - 60_001;
    await sweep.sweep();
    expect(world.asked).toEqual(['redis', 'postgresql']);
    world.now = HOUR_MS - 60_000;
    await sweep.sweep();
    expect(world.asked).toHaveLength(4);
    expect(world.counted[0]).toBe('redis done');
  });

  it('does nothing when it does not lead, and asks no other when it leads no more', async () => {
    const outsider = setUp([], () => false);
    await outsider.sweep.sweep();
    expect(outsider.world.asked).toEqual([]);
    let leads = 0;
    const former = setUp([], () => leads++ === 0);
    await former.sweep.sweep();
    expect(former.world.asked).toEqual(['redis']);
  });

  it('tries what failed again at the next look, and does the other meanwhile', async () => {
    const { sweep, world } = setUp([new Error('away')]);
    await sweep.sweep();
    world.now = 60_000;
    await sweep.sweep();
    expect(world.asked).toEqual(['redis', 'postgresql', 'redis']);
    expect(world.counted).toEqual(['redis failed', 'postgresql done', 'redis done']);
    expect(world.warned).toHaveLength(1);
  });

  it('says once that it is refused, and again when that has changed meanwhile', async () => {
    const { sweep, world } = setUp(['refused', 'refused', 'done', 'refused']);
    const warnings: number[] = [];
    for (let i = 0; i < 4; i++) {
      world.now = i * HOUR_MS;
      await sweep.sweep();
      warnings.push(world.warned.length);
    }
    expect(warnings).toEqual([1, 1, 1, 2]);
    expect(world.counted.filter((one) => one === 'redis refused')).toHaveLength(3);
  });
});
