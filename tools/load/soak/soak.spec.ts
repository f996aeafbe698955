import type { Verdict } from '../verdict';
import { type Sample, judgeSoak, soakOf, soakText } from './soak';

const MIB = 2 ** 20;
const good: Verdict = { outcome: 'PASSED', reasons: ['3 sends were held'] };
const slice = (p99: number) => ({ count: 9, p50: 1, p90: 2, p99, p999: p99, max: p99 });

function samples(count: number, of: (i: number) => Partial<Sample> = () => ({})): Sample[] {
  return Array.from({ length: count }, (_, i) => ({
    atMs: 60_000 * (i + 1),
    memoryBytes: { 'gateway-1': 200 * MIB },
    redisKeys: 500,
    lagRecords: i % 2,
    ...of(i),
  }));
}

function judged(all: readonly Sample[], p99 = (_: number): number => 12): Verdict {
  return judgeSoak(
    good,
    soakOf(
      all,
      all.map((_, i) => slice(p99(i))),
    ),
  );
}

describe('judgeSoak', () => {
  it('passes what stays as it is, with what else was said', () => {
    expect(judged(samples(10))).toEqual(good);
  });

  it.each<[string, Sample[], (i: number) => number, RegExp]>([
    [
      'memory',
      samples(10, (i) => ({ memoryBytes: { 'gateway-1': (200 + 10 * i) * MIB } })),
      () => 12,
      /^gateway-1 grows: by 90\.0 ± 0\.0 MiB over 10 samples, 245\.0 in the mean$/,
    ],
    ['latency', samples(10), (i) => 10 + i, /^delivered p99 grows: by 9\.0 /],
    ['keys', samples(10, (i) => ({ redisKeys: 500 + 20 * i })), () => 12, /^keys of Redis grows/],
    ['lag', samples(10, (i) => ({ lagRecords: 100 * i })), () => 12, /^lag of all groups grows/],
  ])('fails a run whose %s grows', (_, all, p99, reason) => {
    const { outcome, reasons } = judged(all, p99);
    expect(outcome).toBe('FAILED');
    expect(reasons).toEqual([expect.stringMatching(reason), ...good.reasons]);
  });

  it('knows nothing of a run with few samples, or with samples of nothing', () => {
    expect(judged(samples(4))).toMatchObject({ outcome: 'VOID' });
    const blind = judged(samples(10, () => ({ lagRecords: null })));
    expect(blind.outcome).toBe('VOID');
    expect(blind.reasons[0]).toMatch(/^lag of all groups: fewer than 5 samples/);
  });

  it('makes nothing good that is bad', () => {
    const bad: Verdict = { outcome: 'FAILED', reasons: ['lost × 1'] };
    expect(
      judgeSoak(
        bad,
        soakOf(
          samples(10),
          samples(10).map(() => slice(5)),
        ),
      ),
    ).toEqual(bad);
    expect(judgeSoak(bad, soakOf([], []))).toEqual(bad);
  });
});

it('soakText has a line for each sample, and the slopes', () => {
  const text = soakText(soakOf(samples(5), [slice(3), slice(4), slice(5), slice(6), slice(7)]));
  expect(text).toMatch(/^ +s +delivered p99 +keys of Redis +lag of all groups +gateway-1$/m);
  expect(text).toMatch(/^ +120 +4\.0 +500\.0 +1\.0 +200\.0$/m);
  expect(text).toMatch(/^ +rise +4\.0 +0\.0 +[0-9.-]+ +0\.0$/m);
});
