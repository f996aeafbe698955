import { spreadOf } from './drain';

describe('the time over which clients leave', () => {
  it.each([
    ['few sockets', 100, 200, 30_000, 2_000],
    ['more than the others let in within that', 3_000, 200, 30_000, 15_000],
    ['more than there is time for', 60_000, 200, 30_000, 30_000],
    ['others without a limit', 60_000, Infinity, 30_000, 2_000],
    ['no others', 60_000, 0, 30_000, 2_000],
    ['less time than the least', 60_000, 200, 1_000, 1_000],
    ['no sockets', 0, 200, 30_000, 2_000],
  ])('with %s', (_, sockets, rate, mostMs, expected) => {
    expect(spreadOf(sockets, rate, mostMs)).toBe(expected);
  });
});
