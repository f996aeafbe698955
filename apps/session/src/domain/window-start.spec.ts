import { windowStart } from './window-start';

const at = (committed: number | null, window: number | null, low = 100, high = 1_000_000) =>
  windowStart({
    committed: committed === null ? null : BigInt(committed),
    windowOffset: window === null ? null : BigInt(window),
    low: BigInt(low),
    high: BigInt(high),
  });

describe('windowStart', () => {
  it.each([
    ['nothing committed: the whole log is live', null, 500, { start: 100n, liveFrom: 100n }],
    ['two minutes back', 900, 600, { start: 600n, liveFrom: 900n }],
    ['nothing in the last two minutes', 900, 1_000_000, { start: 900n, liveFrom: 900n }],
    ['the window begins after the committed offset', 700, 800, { start: 700n, liveFrom: 700n }],
    ['at most so many records', 500_000, 200, { start: 300_000n, liveFrom: 500_000n }],
    ['unknown time: by count alone', 500_000, null, { start: 300_000n, liveFrom: 500_000n }],
    ['not below the log', 150, 0, { start: 100n, liveFrom: 150n }],
    ['committed below the log', 50, 60, { start: 100n, liveFrom: 100n }],
    ['committed above the log', 2_000_000, 999_990, { start: 999_990n, liveFrom: 1_000_000n }],
  ])('%s', (_name, committed, window, expected) => {
    expect(at(committed, window)).toEqual(expected);
  });
});
