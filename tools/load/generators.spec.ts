import { ownersOf } from './generators';
import { spreadPairs } from './pipeline';

const pairs = (count: number) =>
  Array.from({ length: count }, (_, pair) => ({ devices: [2 * pair, 2 * pair + 1] }));

describe('ownersOf', () => {
  it.each([
    [4, 1, [4]],
    [4, 2, [2, 2]],
    [5, 2, [3, 2]],
    [10, 3, [4, 3, 3]],
    [16, 16, new Array<number>(16).fill(1)],
  ])('deals %i conversations out to %i generators, each whole', (count, generators, expected) => {
    const owners = ownersOf(pairs(count), generators);
    const by = new Array<number>(generators).fill(0);
    for (const { devices } of pairs(count)) {
      const [first, second] = devices.map((device) => owners[device]);
      expect(second).toBe(first);
      by[first!]!++;
    }
    expect(by).toEqual(expected);
  });

  it('gives each generator as many sockets on each gateway', () => {
    const owners = ownersOf(pairs(64), 4);
    const on = [0, 1, 2, 3].map(() => [0, 0]);
    spreadPairs(64, 2).forEach((gateway, device) => on[owners[device]!]![gateway]!++);
    expect(on).toEqual([0, 1, 2, 3].map(() => [16, 16]));
  });
});
