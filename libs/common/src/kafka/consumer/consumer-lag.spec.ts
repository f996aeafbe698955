import { Assignment } from './assignment';
import { CatchUp, lagOf } from './consumer-lag';

const NOW = 1_763_720_000_000;

function at(partition: number, expected: bigint, more: Partial<Assignment> = {}): Assignment {
  const one = new Assignment('chat', partition);
  return Object.assign(one, { state: 'running', expected, ...more });
}
const ends = (...offsets: (bigint | null)[]) => new Map([['chat', offsets]]);

describe('the lag of a member', () => {
  it('is the sum of its partitions, and the age of the oldest record that is missing', () => {
    const some = [
      at(0, 10n, { reachedAt: NOW - 3_000 }),
      at(1, 5n, { reachedAt: NOW - 60_000, caughtUpAt: NOW - 1_000 }),
    ];
    expect(lagOf(some, ends(14n, 6n), NOW)).toEqual({ records: 5, seconds: 3 });
  });

  it('is nothing at the end, however long ago the last record came', () => {
    const one = at(0, 10n, { reachedAt: NOW - 3_600_000 });
    expect(lagOf([one], ends(10n), NOW)).toEqual({ records: 0, seconds: 0 });
    // the next record is as old as that moment at most
    expect(lagOf([one], ends(11n), NOW + 500)).toEqual({ records: 1, seconds: 0.5 });
  });

  it('has no age while nothing was read yet', () => {
    expect(lagOf([at(0, 10n)], ends(14n), NOW)).toEqual({ records: 4, seconds: null });
  });

  it('leaves out what is loaded still, and partitions whose end is not known', () => {
    const some = [at(0, 0n, { state: 'loading' }), at(1, 5n), at(2, 7n)];
    expect(lagOf(some, ends(100n, null, 7n), NOW)).toEqual({ records: 0, seconds: 0 });
  });
});

describe('a member that catches up', () => {
  it('has done so when it is at the ends of its start, and stays so', () => {
    const catchUp = new CatchUp();
    catchUp.begins('chat', 0, 10n);
    expect(catchUp.isDone([at(0, 9n)], NOW)).toBe(false);
    // a rebalance: what came since is no part of the start
    catchUp.begins('chat', 0, 500n);
    expect(catchUp.isDone([at(0, 10n)], NOW)).toBe(true);
    expect(catchUp.isDone([at(0, 10n), at(1, 0n)], NOW)).toBe(true);
  });

  it('has done so when it is a second behind', () => {
    const catchUp = new CatchUp();
    catchUp.begins('chat', 0, 10n);
    expect(catchUp.isDone([at(0, 9n, { reachedAt: NOW - 1_100 })], NOW)).toBe(false);
    expect(catchUp.isDone([at(0, 9n, { reachedAt: NOW - 900 })], NOW)).toBe(true);
  });

  it('does not wait for a partition that an operator has to look at, nor without partitions', () => {
    expect(new CatchUp().isDone([], NOW)).toBe(true);
    expect(new CatchUp().isDone([at(0, 0n, { state: 'stopped' })], NOW)).toBe(true);
    expect(new CatchUp().isDone([at(0, 0n)], NOW)).toBe(false);
  });
});
