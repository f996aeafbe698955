import type { TidingsError } from '@tidings/protocol/errors';
import { Admission, type AdmissionOptions } from './admission';

function setUp(options: Partial<AdmissionOptions> = {}) {
  const world = { now: 0, loopDelayMs: 0, refused: 0, random: 0 };
  const admission = new Admission({
    perSecond: 100,
    burst: 200,
    maxWaitMs: 30_000,
    loopDelayMs: () => world.loopDelayMs,
    refused: () => void (world.refused += 1),
    random: () => world.random,
    clock: () => world.now,
    ...options,
  });
  /** How long each of so many has to wait; 0: let in. */
  const come = (count: number): number[] =>
    Array.from({ length: count }, () => {
      try {
        admission.admit();
        return 0;
      } catch (error) {
        const { code, retryAfterMs } = error as TidingsError;
        return code === 'busy' ? retryAfterMs! : NaN;
      }
    });
  const letIn = (count: number): number => come(count).filter((wait) => wait === 0).length;
  return { admission, world, come, letIn };
}

describe('Admission', () => {
  it('lets a burst in at once, then the rate', () => {
    const { world, letIn } = setUp();
    expect(letIn(1_000)).toBe(200);
    world.now += 1_000;
    expect(letIn(1_000)).toBe(100);
    world.now += 60_000;
    expect(letIn(1_000)).toBe(200);
    expect(world.refused).toBe(800 + 900 + 800);
  });

  it('tells each who is refused to come when those before are through, spread a little', () => {
    const { world, come } = setUp();
    come(200);
    const waits = come(1_000);
    expect([waits[0], waits[99], waits[999]]).toEqual([10, 1_000, 10_000]);
    world.random = 0.999;
    expect(come(1)[0]).toBe(15_010);
    // half of them have come meanwhile
    world.now += 5_000;
    world.random = 0;
    come(200);
    expect(come(1)[0]).toBeGreaterThan(5_000);
  });

  it('lets everybody in who comes back when told to, without a second refusal', () => {
    const { world, come } = setUp();
    const waits = come(1_000)
      .filter((wait) => wait > 0)
      .sort((a, b) => a - b);
    for (const wait of waits) {
      world.now = wait;
      expect(come(1)).toEqual([0]);
    }
  });

  it('never tells anybody to wait longer than the longest backoff', () => {
    const { world, come } = setUp({ maxWaitMs: 5_000 });
    world.random = 0.999;
    for (const wait of come(5_000)) expect(wait).toBeLessThanOrEqual(5_000);
  });

  it('is slower while the event loop is late, never down to nothing', () => {
    const { world, letIn } = setUp();
    letIn(200);
    world.loopDelayMs = 400;
    world.now += 1_000;
    expect(letIn(200)).toBe(50);
    world.loopDelayMs = 60_000;
    world.now += 1_000;
    expect(letIn(200)).toBe(10);
    world.loopDelayMs = 200;
    world.now += 1_000;
    expect(letIn(200)).toBe(100);
  });

  it('has the place of one who had no right to it for another', () => {
    const { admission, come } = setUp({ burst: 1 });
    expect(come(1)).toEqual([0]);
    admission.giveBack();
    expect(come(2)[0]).toBe(0);
    for (let n = 0; n < 5; n++) admission.giveBack();
    expect(come(2)[1]).toBeGreaterThan(0);
  });

  it('lets all in when it is switched off', () => {
    expect(setUp({ perSecond: 0 }).letIn(5_000)).toBe(5_000);
  });
});
