import { Turns } from './turns';

describe('Turns', () => {
  it('are of about ten seconds, calm and churn in pairs that change sides, and measured when they have settled', () => {
    const { all, churnMs } = new Turns(5_000, 44_000);
    expect(all).toEqual([
      { kind: 'calm', fromMs: 5_000, measuredFromMs: 8_000, toMs: 16_000 },
      { kind: 'churn', fromMs: 16_000, measuredFromMs: 19_000, toMs: 27_000 },
      { kind: 'churn', fromMs: 27_000, measuredFromMs: 30_000, toMs: 38_000 },
      { kind: 'calm', fromMs: 38_000, measuredFromMs: 41_000, toMs: 49_000 },
    ]);
    expect(churnMs).toBe(27_000);
  });

  it('are two in a short run, and settle in no more than half of it', () => {
    const { all } = new Turns(0, 4_000);
    expect(all.map(({ kind, measuredFromMs }) => [kind, measuredFromMs])).toEqual([
      ['calm', 1_000],
      ['churn', 3_000],
    ]);
  });

  it.each([
    [0, null],
    [5_000, null],
    [7_999, null],
    [8_000, 'calm'],
    [15_999, 'calm'],
    [16_000, null],
    [19_000, 'churn'],
    [48_999, 'calm'],
    [49_000, null],
  ])('count what is to happen at %d for %s', (atMs, kind) => {
    expect(new Turns(5_000, 44_000).measured(atMs)).toBe(kind);
  });

  it.each([
    [0, 0],
    [4_999, 4_999],
    [5_000, 16_000],
    [15_999, 26_999],
    [16_000, 27_000],
    [26_999, 37_999],
  ])('have what comes %d ms after the beginning of change happen at %d', (churnedMs, atMs) => {
    const turns = new Turns(5_000, 44_000);
    expect(turns.whenOf(churnedMs)).toBe(atMs);
  });
});
