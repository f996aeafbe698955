import { PixelBudget } from './pixel-budget';

function setUp() {
  const time = { now: 0 };
  const budget = new PixelBudget({ burst: 100, perMinute: 60 }, () => time.now);
  const wait = (userId: string, pixels: number): number | undefined => {
    try {
      budget.take(userId, pixels);
      return 0;
    } catch (error) {
      return (error as { retryAfterMs?: number }).retryAfterMs;
    }
  };
  return { time, wait };
}

describe('PixelBudget', () => {
  it('is used up by one user alone, and says when the next image fits', () => {
    const { wait, time } = setUp();
    expect([wait('a', 60), wait('a', 40)]).toEqual([0, 0]);
    expect(wait('a', 1)).toBe(1_000);
    expect(wait('b', 100)).toBe(0);
    time.now = 500;
    expect(wait('a', 1)).toBe(500);
    time.now = 1_000;
    expect(wait('a', 1)).toBe(0);
  });

  it('never holds more than the burst', () => {
    const { wait, time } = setUp();
    wait('a', 1);
    time.now = 3_600_000;
    expect([wait('a', 100), wait('a', 1)]).toEqual([0, 1_000]);
  });
});
