import { FairQueue } from './fair-queue';

const LIMITS = { total: 10, perNetwork: 6, perFlow: 4 };
const queue = (): FairQueue<string> => new FairQueue<string>(LIMITS);
const all = (from: FairQueue<string>): string[] => {
  const items: string[] = [];
  for (let item = from.shift(); item !== undefined; item = from.shift()) items.push(item);
  return items;
};
const add = (to: FairQueue<string>, names: string) =>
  names.split(' ').map((name) => to.push({ network: name[0]!, account: name[1]! }, name));

describe('a fair queue', () => {
  it.each([
    ['one after the other of one flow', 'Aa1 Aa2 Aa3', 'Aa1 Aa2 Aa3'],
    ['networks in turn', 'Aa1 Aa2 Aa3 Bb1', 'Aa1 Bb1 Aa2 Aa3'],
    ['accounts of a network in turn', 'Aa1 Aa2 Aa3 Ab1', 'Aa1 Ab1 Aa2 Aa3'],
    ['networks before accounts', 'Aa1 Ab1 Ac1 Ba1 Ba2', 'Aa1 Ba1 Ab1 Ba2 Ac1'],
    ['an account of two networks twice', 'Aa1 Aa2 Ba1', 'Aa1 Ba1 Aa2'],
  ])('%s', (_what, coming, going) => {
    const fair = queue();
    expect(add(fair, coming).filter((refused) => refused !== null)).toEqual([]);
    expect(all(fair).join(' ')).toBe(going);
    expect(fair.size).toBe(0);
  });

  it.each([
    ['a flow', 'Aa1 Aa2 Aa3 Aa4 Aa5', 'Aa5'],
    ['a network: the newest of its longest account', 'Aa1 Aa2 Aa3 Aa4 Ab1 Ab2 Ac1', 'Aa4'],
    ['a network of equals: who comes', 'Aa1 Aa2 Ab1 Ab2 Ac1 Ac2 Ad1', 'Aa2'],
    [
      'all: the newest of the longest network',
      'Aa1 Aa2 Ab1 Ab2 Ac1 Ac2 Ba1 Bb1 Bc1 Bd1 Ca1',
      'Aa2',
    ],
  ])('refuses one too many of %s', (_what, coming, refused) => {
    const fair = queue();
    const outcomes = add(fair, coming);
    expect(outcomes.slice(0, -1).filter((one) => one !== null)).toEqual([]);
    expect(outcomes.at(-1)).toBe(refused);
    expect(all(fair).sort()).toEqual(
      coming
        .split(' ')
        .filter((n) => n !== refused)
        .sort(),
    );
  });

  it('refuses who comes when nobody has more', () => {
    const fair = new FairQueue<string>({ total: 2, perNetwork: 2, perFlow: 2 });
    expect(add(fair, 'Aa1 Ba1 Ca1')).toEqual([null, null, 'Ca1']);
  });
});
