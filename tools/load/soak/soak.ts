import type { LatencySummary } from '../generator/latency';
import type { Verdict } from '../verdict';
import { type Slope, LEAST_VALUES, grows, slopeOf } from './slope';

/** What was there at one moment of a long run; null: it could not be looked at. */
export interface Sample {
  /** since the run phase began */
  atMs: number;
  /** resident, by process */
  memoryBytes: Record<string, number>;
  redisKeys: number | null;
  /** records that a consumer group has not taken yet, all groups together */
  lagRecords: number | null;
}

/** Something that must not grow. */
interface Trend {
  name: string;
  unit: string;
  /** by sample; null: not known */
  values: (number | null)[];
  /** null: too few values */
  slope: Slope | null;
  grows: boolean;
}

/** A long run: what was sampled, and what became of it. */
export interface Soak {
  /** of the samples, seconds since the run phase began */
  atSeconds: number[];
  trends: Trend[];
}

const MIB = 2 ** 20;

/** What may be added to each kind: a share of its mean, and so much at least. */
const MEMORY = { share: 0.1, least: 8 };
const LATENCY = { share: 0.2, least: 2 };
const KEYS = { share: 0.1, least: 50 };
const LAG = { share: 0.5, least: 200 };

/**
 * Judges samples of a long run.
 * @param slices latency of what was scheduled up to each sample since the one before
 */
export function soakOf(samples: readonly Sample[], slices: readonly LatencySummary[]): Soak {
  const trend = (
    name: string,
    unit: string,
    allowed: { share: number; least: number },
    of: (sample: Sample, index: number) => number | null | undefined,
  ): Trend => {
    const values = samples.map((sample, index) => of(sample, index) ?? null);
    const points = values.flatMap((value, i) => {
      return value === null ? [] : [[samples[i]!.atMs, value] as const];
    });
    const slope = slopeOf(points);
    return { name, unit, values, slope, grows: slope !== null && grows(slope, allowed) };
  };
  const processes = [...new Set(samples.flatMap(({ memoryBytes }) => Object.keys(memoryBytes)))];
  return {
    atSeconds: samples.map(({ atMs }) => Math.round(atMs / 1000)),
    trends: [
      trend('delivered p99', 'ms', LATENCY, (_, i) => (slices[i]?.count ? slices[i].p99 : null)),
      trend('keys of Redis', 'keys', KEYS, ({ redisKeys }) => redisKeys),
      trend('lag of all groups', 'records', LAG, ({ lagRecords }) => lagRecords),
      ...processes.map((name) =>
        trend(name, 'MiB', MEMORY, ({ memoryBytes }) => {
          const bytes = memoryBytes[name];
          return bytes ? bytes / MIB : null;
        }),
      ),
    ],
  };
}

/** The verdict of a run in which nothing may grow. */
export function judgeSoak(verdict: Verdict, { trends }: Soak): Verdict {
  const growing = trends.filter((trend) => trend.grows);
  const unknown = trends.filter(({ slope }) => slope === null).map(({ name }) => name);
  const reasons = growing.map(({ name, unit, slope, values }) => {
    const { growth, error, mean } = slope!;
    const by = `${growth.toFixed(1)} ± ${error.toFixed(1)} ${unit}`;
    return `${name} grows: by ${by} over ${values.length} samples, ${mean.toFixed(1)} in the mean`;
  });
  if (growing.length > 0) {
    return { outcome: 'FAILED', reasons: [...reasons, ...verdict.reasons] };
  }
  if (unknown.length === 0 || verdict.outcome !== 'PASSED') return verdict;
  const few = `${unknown.join(', ')}: fewer than ${LEAST_VALUES} samples tell no slope`;
  return { outcome: 'VOID', reasons: [few, ...verdict.reasons] };
}

/** The samples as a table, and the slope of each column. */
export function soakText({ atSeconds, trends }: Soak): string {
  const width = (trend: Trend): number => Math.max(9, trend.name.length + 2);
  const cells = (of: (trend: Trend) => string): string =>
    trends.map((trend) => of(trend).padStart(width(trend))).join('');
  const value = (one: number | null | undefined): string => (one == null ? '–' : one.toFixed(1));
  return [
    '   what must not grow',
    `   ${'s'.padStart(6)}${cells(({ name }) => name)}`,
    ...atSeconds.map((at, i) => {
      return `   ${String(at).padStart(6)}${cells(({ values }) => value(values[i]))}`;
    }),
    `   ${'rise'.padStart(6)}${cells(({ slope }) => value(slope?.growth))}`,
    `   ${'±'.padStart(6)}${cells(({ slope }) => value(slope?.error))}`,
  ].join('\n');
}
