import { type Histogram, build } from 'hdr-histogram-js';

/** Longest time that is told apart, in microseconds: ten minutes. */
const MAX_US = 600_000_000;

/** Quantiles in milliseconds. */
export interface LatencySummary {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** A latency histogram (HdrHistogram, three significant digits) from one microsecond to ten minutes. */
export class Latency {
  private readonly histogram: Histogram = build({
    bitBucketSize: 32,
    autoResize: false,
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_US,
    numberOfSignificantValueDigits: 3,
  });

  /** Notes one duration in milliseconds; negative ones count as none, too long ones as the longest. */
  record(ms: number): void {
    this.histogram.recordValue(Math.min(MAX_US, Math.max(0, Math.round(ms * 1000))));
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
      max: this.histogram.totalCount === 0 ? 0 : this.histogram.maxValue / 1000,
    };
  }
}
