import { applyOneByOne, blamesItems, UnusableItem, valuesOf } from './one-by-one';

const refused = Object.assign(new Error('out of range'), { code: '22003' });

describe('items that are applied together', () => {
  const run = async (fault: (item: number) => unknown) => {
    const applied: number[] = [];
    const aside: number[] = [];
    const apply = async (items: readonly number[]): Promise<void> => {
      for (const item of items) if (fault(item)) throw fault(item);
      applied.push(...items);
    };
    const done = applyOneByOne([1, 2, 3, 4, 5, 6, 7], apply, (item) => void aside.push(item));
    await done.catch((error: unknown) => aside.push(-1) && error);
    return { applied, aside };
  };

  it.each<[string, (item: number) => unknown, number[], number[]]>([
    ['none at fault', () => null, [1, 2, 3, 4, 5, 6, 7], []],
    ['one refused', (n) => (n === 3 ? refused : null), [1, 2, 4, 5, 6, 7], [3]],
    ['the first and the last', (n) => (n % 6 === 1 ? refused : null), [2, 3, 4, 5, 6], [1, 7]],
    ['the database away', () => new Error('ECONNREFUSED'), [], [-1]],
  ])('%s', async (_name, fault, applied, aside) => {
    expect(await run(fault)).toEqual({ applied, aside });
  });
});

it.each<[unknown, boolean]>([
  [refused, true],
  [{ driverError: { code: '23505' } }, true],
  [new UnusableItem(new TypeError('x')), true],
  [new TypeError('of a driver'), false],
  [Object.assign(new Error('down'), { code: '57P01' }), false],
  [Object.assign(new Error('gone'), { code: 'ECONNRESET' }), false],
  [null, false],
])('whether %p blames the items: %p', (error, blamed) => {
  expect(blamesItems(error)).toBe(blamed);
});

it('tells what our own code threw from what a driver threw', () => {
  const make = (): never => {
    throw new TypeError('ours');
  };
  expect(() => valuesOf(make)).toThrow(UnusableItem);
  expect(valuesOf(() => 1)).toBe(1);
});
