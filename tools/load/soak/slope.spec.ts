import { seededRandom } from '../random';
import { grows, slopeOf } from './slope';

const noise = seededRandom(3);
const points = (count: number, of: (x: number) => number): [number, number][] =>
  Array.from({ length: count }, (_, x) => [60_000 * x, of(x)]);

describe('slopeOf', () => {
  it('is exact for a straight line', () => {
    const slope = slopeOf(points(11, (x) => 100 + 2 * x))!;
    expect(slope.mean).toBeCloseTo(110);
    expect(slope.growth).toBeCloseTo(20);
    expect(slope.error).toBeCloseTo(0);
  });

  it('agrees with figures worked out by hand', () => {
    // x 0 … 4, y 1 3 2 5 4: slope 0.8, residues 3.6, error of the slope √(1.2 / 10)
    const slope = slopeOf([1, 3, 2, 5, 4].map((y, x) => [x, y]))!;
    expect(slope.mean).toBeCloseTo(3);
    expect(slope.growth).toBeCloseTo(3.2);
    expect(slope.error).toBeCloseTo(4 * Math.sqrt(1.2 / 10));
  });

  it.each([[points(4, (x) => x)], [[]], [Array.from({ length: 9 }, () => [7, 1] as const)]])(
    'knows none of %j',
    (few) => {
      expect(slopeOf(few)).toBeNull();
    },
  );
});

describe('grows', () => {
  const allowed = { share: 0.1, least: 8 };
  const judged = (of: (x: number) => number): boolean => grows(slopeOf(points(30, of))!, allowed);

  it.each<[string, (x: number) => number]>([
    ['stands still', () => 100],
    ['wanders', () => 100 + 40 * noise()],
    ['rises less than its noise tells', (x) => 100 + 2 * x + 120 * (x % 2)],
    ['falls', (x) => 300 - 5 * x],
    ['rises by less than a tenth', (x) => 200 + 0.5 * x],
    ['rises by little in all', (x) => 10 + 0.2 * x],
  ])('does not say it of what %s', (_, of) => {
    expect(judged(of)).toBe(false);
  });

  it.each<[string, (x: number) => number]>([
    ['rises steadily', (x) => 100 + 2 * x],
    ['rises under noise', (x) => 100 + 3 * x + 20 * noise()],
    ['rises from nothing', (x) => x],
  ])('says it of what %s', (_, of) => {
    expect(judged(of)).toBe(true);
  });
});
