import { ring } from './ring';

describe('ring', () => {
  it.each([
    [3, 2],
    [10, 4],
    [51, 50],
    [200, 50],
  ])('of %i gives each %i others, every pair once', (count, each) => {
    const pairs = ring(count, each);
    const keys = new Set(pairs.map(([a, b]) => [a, b].sort((x, y) => x - y).join()));
    expect(keys.size).toBe((count * each) / 2);
    const degree = new Map<number, number>();
    for (const one of pairs.flat()) degree.set(one, (degree.get(one) ?? 0) + 1);
    expect([...degree.values()]).toEqual(Array<number>(count).fill(each));
    expect(pairs.every(([a, b]) => a !== b)).toBe(true);
  });

  it.each([
    [10, 3],
    [10, 10],
    [1, 2],
  ])('refuses %i with %i each', (count, each) => {
    expect(() => ring(count, each)).toThrow(/even number/);
  });
});
