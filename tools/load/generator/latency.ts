import { Int32Histogram } from 'hdr-histogram-js';

/** Longest time that is told apart, in microseconds: ten minutes. */
const MAX_US = 600_000_000;
const SIGNIFICANT_DIGITS = 3;

/** Quantiles in milliseconds. */
export interface LatencySummary {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** Everything that a histogram holds: adding them up loses nothing, as it would with quantiles. */
export interface LatencyCounts {
  /** lowest value of each bucket that is not empty, microseconds, rising */
  us: Float64Array;
  /** how many values are in each of these */
  counts: Float64Array;
  /** the largest value itself */
  maxUs: number;
}

/** A latency histogram (HdrHistogram, three significant digits) from one microsecond to ten minutes. */
export class Latency {
  private readonly histogram = new Int32Histogram(1, MAX_US, SIGNIFICANT_DIGITS);
  private maxUs = 0;

  /** Notes one duration in milliseconds; negative ones count as none, too long ones as the longest. */
  record(ms: number): void {
    const us = Math.min(MAX_US, Math.max(0, Math.round(ms * 1000)));
    this.histogram.recordValue(us);
    if (us > this.maxUs) this.maxUs = us;
  }

  /** Adds what another one holds. */
  add({ us, counts, maxUs }: LatencyCounts): void {
    us.forEach((value, i) => this.histogram.recordValueWithCount(value, counts[i]!));
    this.maxUs = Math.max(this.maxUs, maxUs);
  }

  /** What it holds, for {@link add} in another process. */
  counts(): LatencyCounts {
    const us: number[] = [];
    const counts: number[] = [];
    for (let i = 0; i < this.histogram.countsArrayLength; i++) {
      const count = this.histogram.getCountAtIndex(i);
      if (count === 0) continue;
      us.push(this.histogram.valueFromIndex(i));
      counts.push(count);
    }
    return { us: Float64Array.from(us), counts: Float64Array.from(counts), maxUs: this.maxUs };
  }

  /** The quantiles so far. */
  summary(): LatencySummary {
    const at = (percentile: number): number =>
      this.histogram.totalCount === 0 ? 0 : this.histogram.getValueAtPercentile(percentile) / 1000;
    return {
      count: this.histogram.totalCount,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      max: this.maxUs / 1000,
    };
  }
}

/** The quantiles of several histograms as if all of it had been recorded in one. */
export function summaryOf(parts: readonly LatencyCounts[]): LatencySummary {
  const all = new Latency();
  for (const part of parts) all.add(part);
  return all.summary();
}
