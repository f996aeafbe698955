import { ReplayWindow } from './replay-window';

const FORGET_MS = 60_000;

describe('numbers that have come before', () => {
  it('are told from new ones, in whatever order they come', () => {
    const seen = new ReplayWindow(FORGET_MS);
    const order = [5, 3, 4, 8_000, 7_999, 1, 8_196, 20_000, 19_999, 12_000];
    for (const number of order) expect([number, seen.take('a', number, 0)]).toEqual([number, true]);
    for (const number of order) {
      expect([number, seen.take('a', number, 0)]).toEqual([number, false]);
    }
  });

  it('are refused when they are too far behind to be known', () => {
    const seen = new ReplayWindow(FORGET_MS);
    expect(seen.take('a', 10_000, 0)).toBe(true);
    expect(seen.take('a', 10_000 - 8_192, 0)).toBe(false);
    expect(seen.take('a', 10_000 - 8_191, 0)).toBe(true);
  });

  it('agree with a set of all numbers', () => {
    const seen = new ReplayWindow(FORGET_MS);
    const all = new Set<number>();
    let state = 7;
    let highest = 0;
    for (let turn = 0; turn < 50_000; turn++) {
      state = (state * 48_271) % 2_147_483_647;
      const number = Math.max(0, highest + (state % 40) - 30);
      highest = Math.max(highest, number);
      expect(seen.take('a', number, 0)).toBe(!all.has(number));
      all.add(number);
    }
  });

  it('are counted for each caller', () => {
    const seen = new ReplayWindow(FORGET_MS);
    expect([seen.take('a', 1, 0), seen.take('b', 1, 0), seen.take('a', 1, 0)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('are kept for so many callers, and those only while their calls would be taken', () => {
    const seen = new ReplayWindow(FORGET_MS);
    for (let n = 0; n < 1_024; n++) expect(seen.take(`c${n}`, 1, 0)).toBe(true);
    expect(seen.take('one more', 1, 2 * FORGET_MS)).toBe(false);
    expect(seen.take('c0', 1, 2 * FORGET_MS)).toBe(false);
    expect(seen.take('one more', 1, 2 * FORGET_MS + 1)).toBe(true);
    expect(seen.take('c0', 1, 2 * FORGET_MS + 1)).toBe(false);
  });
});
