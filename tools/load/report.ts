import type { LoadOptions, Subject } from './args';
import { type Environment, environmentLine } from './environment';
import { storesText } from './footprint';
import type { LatencySummary } from './generator/latency';
import type { ReceiptsResult } from './generator/protocol';
import type { RunReport } from './measure';
import { soakText } from './soak/soak';
import { type Costs, GENERATOR, isGenerator } from './usage';
import { type ChurnRates, talkersOf } from './workload';

const MIB = 2 ** 20;
const QUANTILES = ['p50', 'p90', 'p99', 'p999', 'max'] as const;
const LATENCIES = ['sent', 'delivered', 'stored'] as const;

/** What was measured where. */
export interface ReportHead {
  label: string;
  environment: Environment;
  target: string;
}

/** What goes into the JSON file. */
export interface LoadReport extends ReportHead {
  options: LoadOptions;
  runs: RunReport[];
}

function pad(text: string | number, width: number): string {
  return String(text).padStart(width);
}

function ms(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

/** First lines of the report: what is measured and where. */
export function headText(report: Omit<LoadReport, 'runs'>): string {
  const { options } = report;
  return headLines(
    report,
    `${options.rate} msg/s open loop (Poisson), ${populationText(options)}, ` +
      `${options.textBytes}-byte text, ${options.warmupSeconds} s warm-up, ${options.runs} × ${options.seconds} s, seed ${options.seed}`,
  );
}

/** The first lines of any report; `what` says what is measured. */
export function headLines({ label, target, environment }: ReportHead, what: string): string {
  return [...(label ? [label] : []), what, `${target}; ${environmentLine(environment)}`, ''].join(
    '\n',
  );
}

function populationText({ users, workload }: LoadOptions): string {
  const { groupSize, online, churn } = workload;
  if (churn) return `${users} users, ${talkersOf(users)} of them in pairs${churnText(churn)}`;
  if (groupSize === 2) return `${users} users in ${users / 2} pairs`;
  const connected = online === groupSize ? '' : `, ${online} of each connected`;
  return `${users} users connected in ${users / online} groups of ${groupSize}${connected}`;
}

function churnText({ watched, changes, reconnects }: ChurnRates): string {
  return (
    `, each of whom watches ${watched}; in turns nothing, and ${changes} changes and ` +
    `${reconnects} closes and connects per second`
  );
}

/** First lines of the report on idle connections. */
export function idleHeadText({ label, target, environment }: ReportHead): string {
  return [...(label ? [label] : []), `${target}; ${environmentLine(environment)}`, ''].join('\n');
}

/** One run: latencies, counts, costs, verdict; `more` are lines of its workload. */
export function runText(run: RunReport, title: string, more: readonly string[] = []): string {
  const { result, verdict } = run;
  return [
    `── ${title}: ${verdict.outcome}`,
    ...verdict.reasons.map((reason) => `   ${reason}`),
    quantileHead(),
    ...LATENCIES.filter((name) => result.latency[name].count > 0).map((name) =>
      latencyLine(`send → ${name}`, result.latency[name]),
    ),
    ...(result.receipts ? [latencyLine('read → shown', result.receipts.seen)] : []),
    latencyLine('(generator lag)', result.scheduleLag),
    countsText(run),
    ...more,
    costText(run),
    ...generatorLines(run),
    ...(run.stores ? [storesText(run.stores)] : []),
    ...(run.soak ? [soakText(run.soak)] : []),
    '',
  ].join('\n');
}

/** How each of several generators kept up, and what its part of the load saw. */
function generatorLines({ generators }: RunReport): string[] {
  if (generators.length === 1) return [];
  return generators.map(({ name, share, sent, scheduled, scheduleLag, loopLag, delivered }) =>
    [
      `   ${name.padEnd(17)} ${(share * 100).toFixed(0)} % of a core, sent ${sent} of ${scheduled}, late p99 ${ms(scheduleLag.p99)} ms`,
      `event loop late p99 ${ms(loopLag.p99)}, most ${ms(loopLag.max)} ms`,
      `delivered p50 ${ms(delivered.p50)}, p99 ${ms(delivered.p99)} ms`,
    ].join('; '),
  );
}

/** Names of the columns of {@link latencyLine}. */
export function quantileHead(): string {
  return `   ms from schedule  ${QUANTILES.map((q) => pad(q === 'p999' ? 'p99.9' : q, 9)).join('')}`;
}

/** Quantiles of one latency, milliseconds. */
export function latencyLine(name: string, latency: LatencySummary): string {
  return `   ${name.padEnd(17)} ${QUANTILES.map((q) => pad(ms(latency[q]), 9)).join('')}`;
}

function receiptsText(receipts: ReceiptsResult | null): string {
  if (!receipts) return '';
  return `; ${receipts.reads} reads, ${receipts.unseen} of the last ones never shown`;
}

function countsText(run: RunReport): string {
  const { result, connect, unstoredAtEnd, storedAfterMs } = run;
  const { ledger } = result;
  const ends = (count: number, what: string, after: number | null): string =>
    `${count} ${what}, none after ${after === null ? 'the wait' : `${(after / 1000).toFixed(1)} s`}`;
  return [
    `   deliveries to others: ${run.deliveriesPerSecond.toFixed(0)} per second${receiptsText(result.receipts)}`,
    `   messages: ${ledger.acknowledged} of ${result.scheduled} acknowledged, ${ledger.duplicates} raw duplicates, ` +
      `${ledger.unknownPrevious} without previous, ${ledger.repaired} by history, ${result.resent} sent again, ${result.held} held`,
    `   at the end of the load: ${ends(result.undeliveredAtEnd, 'not delivered', result.deliveredAfterMs)}; ` +
      (unstoredAtEnd === null
        ? 'what is stored was read from the history afterwards'
        : ends(unstoredAtEnd, 'not stored', storedAfterMs)),
    `   sockets: ${Object.entries(connect.byGateway)
      .map(([gateway, count]) => `${gateway} ${count}`)
      .join(', ')}${connect.misplaced > 0 ? `; ${connect.misplaced} not where wanted` : ''}`,
  ].join('\n');
}

/** CPU per message (or whatever is counted), memory, the generator's share. */
export function costText(
  run: Costs & {
    memoryBytes: Record<string, number> | null;
  },
  unit = 'message',
): string {
  const { cpuUsPerMessage, memoryBytes, generatorShare, foreignCores } = run;
  const names = Object.keys(cpuUsPerMessage).filter((name) => !isGenerator(name));
  const generators = Object.keys(cpuUsPerMessage).filter(isGenerator);
  const generatorUs = generators.reduce((sum, name) => sum + (cpuUsPerMessage[name] ?? 0), 0);
  const busiest = generators.length > 1 ? 'the busiest ' : '';
  const mib = (name: string): string =>
    memoryBytes ? `  ${pad(((memoryBytes[name] ?? 0) / MIB).toFixed(0), 6)} MiB` : '';
  const lines = names.map(
    (name) => `   ${name.padEnd(18)} ${pad(micros(cpuUsPerMessage[name]), 8)} µs${mib(name)}`,
  );
  return [
    `   CPU per ${unit}${memoryBytes ? ', memory at the end' : ''}`,
    ...lines,
    names.length === 0
      ? '   the servers: not known, their processes are elsewhere (or in "other programs")'
      : `   ${'all servers'.padEnd(18)} ${pad((serversUs(run) ?? 0).toFixed(1), 8)} µs`,
    `   ${(generators.length > 1 ? 'generators' : GENERATOR).padEnd(18)} ${pad(generatorUs.toFixed(1), 8)} µs  ${busiest}${(generatorShare * 100).toFixed(0)} % of a core`,
    `   ${'other programs'.padEnd(18)} ${pad(foreignCores.toFixed(2), 8)} cores`,
  ].join('\n');
}

function micros(us: number | undefined): string {
  return us === undefined || Number.isNaN(us) ? 'ended' : us.toFixed(1);
}

/** CPU µs per message of everything but the generators, as far as it is known; null: of none. */
export function serversUs(run: Pick<Costs, 'cpuUsPerMessage'>): number | null {
  const servers = Object.entries(run.cpuUsPerMessage).filter(([name]) => !isGenerator(name));
  if (servers.length === 0) return null;
  return servers.reduce((sum, [, us]) => sum + (Number.isNaN(us) ? 0 : us), 0);
}

/** Smallest, middle and largest of some values. */
export function spread(values: readonly number[]): { min: number; median: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median =
    sorted.length % 2 === 1
      ? sorted[Math.floor(middle)]!
      : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted[sorted.length - 1]! };
}

const FIGURES: readonly { name: string; of: (run: RunReport) => number }[] = [
  ...LATENCIES.flatMap((name) =>
    (['p50', 'p99'] as const).map((q) => ({
      name: `send → ${name} ${q} ms`,
      of: (run: RunReport) => run.result.latency[name][q],
    })),
  ),
  { name: 'CPU servers µs', of: (run) => serversUs(run) ?? Number.NaN },
];

/** min – median – max over the runs of each pipeline, and product : baseline where both were measured. */
export function summaryText(runs: readonly RunReport[]): string {
  const subjects = (['baseline', 'product'] as const).filter((subject) =>
    runs.some((run) => run.subject === subject),
  );
  if (runs.length < 2) return '';
  const bad = runs.filter(({ verdict }) => verdict.outcome !== 'PASSED').length;
  const lines = FIGURES.map(({ name, of }) => {
    const spreads = subjects.map((subject) => spread(valuesOf(runs, subject, of)));
    const cells = spreads.map(({ min, median, max }) =>
      pad(`${ms(min)} – ${ms(median)} – ${ms(max)}`, 30),
    );
    const [baseline, product] = spreads;
    const ratio = baseline && product ? pad((product.median / baseline.median).toFixed(2), 8) : '';
    return `   ${name.padEnd(24)}${cells.join('')}${ratio}`;
  });
  const head = subjects.map((subject) => pad(subject, 30)).join('');
  return [
    `── min – median – max of the runs${bad > 0 ? ` (${bad} of ${runs.length} are not valid)` : ''}`,
    `   ${''.padEnd(24)}${head}${subjects.length === 2 ? pad('ratio', 8) : ''}`,
    ...lines,
    '',
  ].join('\n');
}

function valuesOf(
  runs: readonly RunReport[],
  subject: Subject,
  of: (run: RunReport) => number,
): number[] {
  return runs.filter((run) => run.subject === subject).map(of);
}

/** p99 of deliveries and stores with receipts, as a multiple of that without, in pairs of runs. */
export function receiptsRatioText(runs: readonly RunReport[]): string {
  const without = runs.filter(({ result }) => result.receipts === null);
  const reading = runs.filter(({ result }) => result.receipts !== null);
  const lines = without.flatMap((plain, i) => {
    const other = reading[i];
    if (!other) return [];
    const ratio = LATENCIES.map((name) => {
      const [a, b] = [plain, other].map(({ result }) => result.latency[name].p99);
      return `${name} ${ms(a!)} → ${ms(b!)} (× ${(b! / a!).toFixed(2)})`;
    });
    return [`   p99 ms without → with receipts: ${ratio.join(', ')}`];
  });
  return ['── what receipts cost', ...lines, ''].join('\n');
}
