import fc from 'fast-check';
import { checkRest, runs, take } from '../testing/model-steps';
import { ModelWorld } from '../testing/model-world';

/** More of them on demand: the space of interleavings is large. */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 100);
/** No new run begins after this time, in milliseconds, when there were enough. */
const LIMIT_MS = Number(process.env['PROPERTY_MS'] ?? 15_000);
/** What a failure printed, to see it again. */
const SEED = process.env['PROPERTY_SEED'];
const REPLAY = SEED
  ? { seed: Number(SEED), path: process.env['PROPERTY_PATH'] ?? '', endOnFailure: true }
  : {};
/** So many at least, however slow the machine is. */
const LEAST = SEED ? 1 : Math.min(RUNS, 30);
/** In seconds: over soon, over during a longer pause, never, not during this test. */
const LIFETIMES = [8, 45, null, 24 * 3600];

describe('any interleaving of pushes, losses, doubles, reconnects, syncs, sends, edits, deletions, joins, leaves, receipts and expiries', () => {
  it('ends with what the server has, and what a cold device has', async () => {
    const until = performance.now() + LIMIT_MS;
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(runs(110, LIFETIMES), async (run) => {
        if (taken >= LEAST && performance.now() > until) return;
        const world = new ModelWorld();
        await take(world, run);
        await checkRest(world);
        expect(await world.stop()).toBe(0);
        taken++;
      }),
      { numRuns: RUNS, ...REPLAY },
    );
    console.log(`${taken} of ${RUNS} runs`);
    expect(taken).toBeGreaterThanOrEqual(LEAST);
  }, 600_000);
});
