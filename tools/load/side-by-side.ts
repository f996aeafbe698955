import type { RunReport } from './measure';
import { serversUs, spread } from './report';
import { isGenerator } from './usage';
import { type Verdict, worstOf } from './verdict';

/** Runs that belong together: a column of the table. */
export interface Side {
  label: string;
  runs: RunReport[];
}

/** A line of the table, with the middle of the runs of each side. */
export interface SideRow {
  title: string;
  unit: string;
  /** digits behind the point */
  digits: number;
  /** by side; null: not known */
  values: (number | null)[];
}

/** What stands side by side. */
export interface SideBySide {
  labels: string[];
  outcomes: Verdict['outcome'][];
  /** why, of all runs of each side, none of them twice */
  reasons: string[][];
  throughput: SideRow[];
  latency: SideRow[];
  /** CPU per message of each service, all its instances together, and of all servers */
  cpu: SideRow[];
  /** whether the generators were the limit */
  generators: SideRow[];
}

const LATENCIES = ['sent', 'delivered', 'stored'] as const;

/** Puts sides beside each other. */
export function sideBySide(sides: readonly Side[]): SideBySide {
  const row = (
    title: string,
    unit: string,
    digits: number,
    of: (run: RunReport) => number | null,
  ): SideRow => ({ title, unit, digits, values: sides.map(({ runs }) => middle(runs.map(of))) });
  return {
    labels: sides.map(({ label }) => label),
    outcomes: sides.map(({ runs }) => worstOf(runs.map(({ verdict }) => verdict))),
    reasons: sides.map(({ runs }) => [...new Set(runs.flatMap(({ verdict }) => verdict.reasons))]),
    throughput: [
      row('messages scheduled', 'per second', 0, ({ result, seconds }) => {
        return result.runScheduled / seconds;
      }),
      row('messages sent', 'per second', 0, ({ result, seconds }) => result.runSent / seconds),
      row(
        'deliveries to others',
        'per second',
        0,
        ({ deliveriesPerSecond }) => deliveriesPerSecond,
      ),
      row('not delivered when the load ended', 'messages', 0, ({ result }) => {
        return result.undeliveredAtEnd;
      }),
      row('not stored when the load ended', 'messages', 0, ({ unstoredAtEnd }) => unstoredAtEnd),
    ],
    latency: LATENCIES.flatMap((name) =>
      (['p50', 'p99'] as const).map((quantile) =>
        row(`send → ${name} ${quantile}`, 'ms', 2, ({ result }) => {
          const { [name]: latency } = result.latency;
          return latency.count > 0 ? latency[quantile] : null;
        }),
      ),
    ),
    cpu: [
      ...servicesOf(sides).map((service) =>
        row(service, 'µs per message', 1, (run) => serviceUs(run, service)),
      ),
      row('all servers', 'µs per message', 1, serversUs),
      row('generators', 'µs per message', 1, (run) => {
        return sum(namesOf(run).filter(isGenerator), run);
      }),
    ],
    generators: [
      row('generator processes', '', 0, ({ generators }) => generators.length),
      row('the busiest generator', '% of a core', 0, ({ generatorShare }) => 100 * generatorShare),
      row(
        'written late, p99',
        'ms',
        2,
        worstLoad(({ scheduleLag }) => scheduleLag.p99),
      ),
      row(
        'event loop late, p99',
        'ms',
        2,
        worstLoad(({ loopLag }) => loopLag.p99),
      ),
      row('other programs', 'cores', 2, ({ foreignCores }) => foreignCores),
    ],
  };
}

/** The table for a terminal. */
export function sideBySideText(all: SideBySide): string {
  const width = Math.max(12, ...all.labels.map((label) => label.length + 2));
  const cells = (texts: readonly string[]): string =>
    texts.map((text) => text.padStart(width)).join('');
  const rows = (title: string, of: readonly SideRow[]): string[] => [
    `   ${title}`,
    ...of.map((row) => `     ${rowTitle(row).padEnd(44)}${cells(cellsOf(row))}`),
  ];
  return [
    '── side by side, the middle of the runs',
    `     ${''.padEnd(44)}${cells(all.labels)}`,
    `     ${'verdict'.padEnd(44)}${cells(all.outcomes)}`,
    ...rows('throughput', all.throughput),
    ...rows('latency from the schedule', all.latency),
    ...rows('CPU', all.cpu),
    ...rows('what made the load', all.generators),
    ...all.labels.flatMap((label, side) =>
      all.reasons[side]!.map((reason) => `   ${label}: ${reason}`),
    ),
    '',
  ].join('\n');
}

/** A line's title with its unit. */
export function rowTitle({ title, unit }: SideRow): string {
  return unit === '' ? title : `${title}, ${unit}`;
}

/** A line's values as text. */
export function cellsOf({ values, digits }: SideRow): string[] {
  return values.map((value) => (value === null ? '–' : value.toFixed(digits)));
}

/** Of several instances, `gateway-1` and `gateway-2`, the service. */
function serviceOf(name: string): string {
  return name.replace(/-\d+$/, '');
}

function namesOf({ cpuUsPerMessage }: RunReport): string[] {
  return Object.keys(cpuUsPerMessage);
}

function servicesOf(sides: readonly Side[]): string[] {
  const names = sides.flatMap(({ runs }) => runs.flatMap(namesOf));
  return [...new Set(names.filter((name) => !isGenerator(name)).map(serviceOf))];
}

/** Null: the run has none of it, or one of them ended meanwhile. */
function serviceUs(run: RunReport, service: string): number | null {
  const names = namesOf(run).filter((name) => serviceOf(name) === service);
  return names.length === 0 ? null : sum(names, run);
}

function sum(names: readonly string[], { cpuUsPerMessage }: RunReport): number {
  return names.reduce((total, name) => total + (cpuUsPerMessage[name] ?? Number.NaN), 0);
}

function worstLoad(
  of: (load: RunReport['generators'][number]) => number,
): (run: RunReport) => number | null {
  return ({ generators }) => (generators.length === 0 ? null : Math.max(...generators.map(of)));
}

function middle(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null && Number.isFinite(value));
  return known.length === 0 ? null : spread(known as number[]).median;
}
