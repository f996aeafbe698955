import { TokenBucket } from './token-bucket';

describe('TokenBucket', () => {
  it('lets a burst through, then one per interval', () => {
    const bucket = new TokenBucket({ perSecond: 2, burst: 3 }, 0);
    expect([0, 0, 0, 0].map((t) => bucket.take(t))).toEqual([true, true, true, false]);
    expect(bucket.waitMs(0)).toBe(500);
    expect(bucket.take(499)).toBe(false);
    expect(bucket.take(500)).toBe(true);
  });

  it('never holds more than the burst', () => {
    const bucket = new TokenBucket({ perSecond: 100, burst: 2 }, 0);
    expect([1e6, 1e6, 1e6].map((t) => bucket.take(t))).toEqual([true, true, false]);
  });

  it('does not count backwards when the clock stands still', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 1000);
    expect(bucket.take(500)).toBe(true);
    expect(bucket.take(900)).toBe(false);
  });

  it('is switched off by rate 0', () => {
    const bucket = new TokenBucket({ perSecond: 0, burst: 0 }, 0);
    expect(bucket.take(0)).toBe(true);
    expect(bucket.waitMs(0)).toBe(0);
  });
});
