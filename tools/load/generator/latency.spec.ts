import { seededRandom } from '../random';
import { Latency, summaryOf } from './latency';

const WHOLE = 10_000;

/** Milliseconds from a fraction of a microsecond to a minute. */
function values(seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: WHOLE }, () => 0.0005 * 60_000_000 ** random());
}

function recorded(all: readonly number[]): Latency {
  const latency = new Latency();
  for (const ms of all) latency.record(ms);
  return latency;
}

describe('Latency', () => {
  it.each([2, 3, 7])('is the same in %i parts as in one', (count) => {
    const all = values(count);
    const parts = Array.from({ length: count }, (_, part) =>
      recorded(all.filter((_ms, i) => i % count === part)).counts(),
    );
    expect(summaryOf(parts)).toEqual(recorded(all).summary());
  });

  it('is not what its parts are in the mean', () => {
    const parts = [recorded([1, 1, 1]), recorded([100])];
    expect(summaryOf(parts.map((part) => part.counts()))).toMatchObject({ p50: 1, max: 100 });
  });

  it('holds nothing of a part that is empty, and the extremes of one that is not', () => {
    const extremes = recorded([-1, 0, 700_000_000]);
    const { us, counts, maxUs } = extremes.counts();
    expect([us[0], counts[0], counts[1], maxUs]).toEqual([0, 2, 1, 600_000_000]);
    const merged = summaryOf([new Latency().counts(), extremes.counts()]);
    expect(merged).toEqual(extremes.summary());
    expect(merged).toMatchObject({ count: 3, max: 600_000 });
    expect(summaryOf([])).toEqual(new Latency().summary());
  });

  it('survives the way between two processes', () => {
    const counts = recorded(values(1)).counts();
    expect(summaryOf([structuredClone(counts)])).toEqual(summaryOf([counts]));
  });
});
