import { seededRandom } from '../random';
import { firstAtOrAfter, poissonArrivals, shareOf } from './schedule';

const plan = { ratePerSecond: 1000, durationMs: 60_000, senders: 50 };

describe('poissonArrivals', () => {
  it('is the same for the same seed, another for another', () => {
    const first = poissonArrivals(seededRandom(7), plan);
    const again = poissonArrivals(seededRandom(7), plan);
    const other = poissonArrivals(seededRandom(8), plan);
    expect([...again.atMs]).toEqual([...first.atMs]);
    expect([...again.sender]).toEqual([...first.sender]);
    expect(other.atMs[0]).not.toBe(first.atMs[0]);
  });

  it('keeps the mean rate, within five standard deviations', () => {
    const { atMs } = poissonArrivals(seededRandom(1), plan);
    expect(Math.abs(atMs.length - 60_000)).toBeLessThan(5 * Math.sqrt(60_000));
  });

  it('has exponential gaps: mean and standard deviation are alike', () => {
    const { atMs } = poissonArrivals(seededRandom(2), plan);
    const gaps = [...atMs].slice(1).map((at, index) => at - atMs[index]!);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(mean).toBeCloseTo(1, 1);
    expect(Math.sqrt(variance)).toBeCloseTo(1, 1);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
  });

  it('stays within the duration and uses every sender', () => {
    const { atMs, sender } = poissonArrivals(seededRandom(3), plan);
    expect(atMs[atMs.length - 1]).toBeLessThan(plan.durationMs);
    expect(new Set(sender).size).toBe(plan.senders);
    expect(Math.max(...sender)).toBe(plan.senders - 1);
  });
});

describe('shareOf', () => {
  const all = poissonArrivals(seededRandom(5), { ...plan, durationMs: 500 });
  const parts = [0, 1, 2].map((part) => shareOf(all, (sender) => sender % 3 === part));

  it('gives every message of the schedule to one of the parts, with its time and sender', () => {
    const numbers = parts.flatMap((part) => [...part.numbers]);
    expect(numbers.sort((a, b) => a - b)).toEqual([...all.atMs.keys()]);
    for (const { numbers: own, atMs, sender } of parts) {
      expect([...atMs]).toEqual([...own].map((number) => all.atMs[number]));
      expect([...sender]).toEqual([...own].map((number) => all.sender[number]));
      expect(firstAtOrAfter(atMs, 0)).toBe(0);
    }
  });

  it('knows its own messages by their numbers, and those of others', () => {
    const [first, second] = parts;
    const own = [...first!.numbers];
    expect(own.map((number) => first!.own(number))).toEqual([...own.keys()]);
    expect(own.filter((number) => first!.ofOthers(number))).toEqual([]);
    expect(own.filter((number) => second!.ofOthers(number))).toEqual(own);
    expect(own.filter((number) => second!.own(number) !== -1)).toEqual([]);
    for (const number of [-1, all.atMs.length]) {
      expect([first!.own(number), first!.ofOthers(number)]).toEqual([-1, false]);
    }
  });

  it('is the whole schedule for one generator', () => {
    const { atMs, sender, numbers } = shareOf(all, () => true);
    expect([...atMs]).toEqual([...all.atMs]);
    expect([...sender]).toEqual([...all.sender]);
    expect([...numbers]).toEqual([...all.atMs.keys()]);
  });
});

describe('firstAtOrAfter', () => {
  const times = [1, 2, 2, 5];
  it.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 3],
    [5, 3],
    [6, 4],
  ])('%d ms: index %i', (ms, index) => {
    expect(firstAtOrAfter(times, ms)).toBe(index);
  });
});

describe('seededRandom', () => {
  it('is even over [0, 1)', () => {
    const random = seededRandom(11);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) buckets[Math.floor(random() * 10)]!++;
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
