import type { ChurnCost } from '../load/churn-cost';
import type { PresenceResult } from '../load/generator/protocol';
import type { IdleReport } from '../load/idle';
import type { RunReport } from '../load/measure';
import type { SyncReport } from '../load/syncs';
import type { FigureRun, Latency } from './figure-file';

const MIB = 2 ** 20;

/** What `npm run load -- --json` writes, as far as it is kept. */
export type LoadJson = { runs: (RunReport | SyncReport)[] } | { idle: IdleReport };

/** A run in which something went wrong: its figures are worth nothing. */
export class FailedRunError extends Error {
  override readonly name = 'FailedRunError';
}

/**
 * The runs of a report, without what a table has no use for.
 * @throws FailedRunError when something was lost, doubled, out of order, or wrong.
 */
export function condense(report: LoadJson): FigureRun[] {
  if ('idle' in report) return [idleRun(report.idle)];
  return report.runs.map((run) => ('subject' in run ? messageRun(run) : syncRun(run)));
}

function messageRun(run: RunReport): FigureRun {
  const { result, subject, seed, connect } = run;
  const { ledger, receipts } = result;
  const latencyMs: Record<string, Latency> = { ...result.latency };
  if (receipts) latencyMs['read → shown'] = receipts.seen;
  const churn = run.churn && result.presence ? churnOf(run.churn, result.presence) : null;
  return {
    ...outcomeOf(run),
    variant: receipts ? 'everybody reads' : subject,
    seed,
    latencyMs: { ...latencyMs, ...churn?.latencyMs },
    counts: {
      sockets: connect.open,
      scheduled: result.scheduled,
      acknowledged: ledger.acknowledged,
      'deliveries per second': Math.round(run.deliveriesPerSecond),
      'undelivered at the end': result.undeliveredAtEnd,
      'unstored at the end': run.unstoredAtEnd ?? 0,
      'sent again': result.resent,
      held: result.held,
      'repaired by history': ledger.repaired,
      ...churn?.counts,
    },
    cpuUs: known(churn?.cpuUs ?? run.cpuUsPerMessage),
    memoryMiB: inMib(run.memoryBytes),
    bytesPerConnection: {},
    stepsMs: {},
    generator: { share: run.generatorShare, lagP99Ms: result.scheduleLag.p99 },
    foreignCores: run.foreignCores,
  };
}

/** What changes of presence add to a run: its CPU is that of a change then. */
function churnOf(
  { cpuUsPerChange: cpuUs, serverCores }: ChurnCost,
  presence: PresenceResult,
): Pick<FigureRun, 'latencyMs' | 'counts' | 'cpuUs'> {
  const { seen, messages, sights } = presence;
  return {
    latencyMs: {
      'state → seen': seen.state,
      'close → seen': seen.close,
      'connect → seen': seen.connect,
      'delivered, calm': messages.calm.delivered,
      'delivered, churn': messages.churn.delivered,
    },
    counts: {
      'changes measured': presence.runChanges,
      'times seen': sights.seen,
      lost: sights.lost,
      'last words compared': presence.compared,
      'cores without changes': serverCores.calm,
      'cores with changes': serverCores.churn,
    },
    cpuUs,
  };
}

function syncRun(run: SyncReport): FigureRun {
  const { result, name, seed, rowsRead, presence } = run;
  const measured = Object.entries(result.latency).filter(([, { count }]) => count > 0);
  const counts: Record<string, number> = {
    scheduled: result.scheduled,
    'answered right': result.right,
  };
  if (rowsRead !== null) counts['rows of messages read'] = rowsRead;
  if (presence !== null) counts['presence events'] = presence.events;
  return {
    ...outcomeOf(run),
    variant: name,
    seed,
    latencyMs: Object.fromEntries(measured),
    counts,
    cpuUs: known(run.cpuUsPerSync),
    memoryMiB: {},
    bytesPerConnection: {},
    stepsMs: {},
    generator: { share: run.generatorShare, lagP99Ms: result.scheduleLag.p99 },
    foreignCores: run.foreignCores,
  };
}

function idleRun({ figures, connectMs }: IdleReport): FigureRun {
  const byGateway = (of: (figure: IdleReport['figures'][number]) => number) =>
    Object.fromEntries(figures.map((figure) => [figure.gateway, of(figure)]));
  return {
    variant: 'product',
    outcome: 'PASSED',
    reasons: [],
    latencyMs: {},
    counts: {
      ...byGateway(({ connections }) => connections[1]),
      'ms to connect': Math.round(connectMs[0] + connectMs[1]),
    },
    cpuUs: {},
    memoryMiB: byGateway(({ residentBytes }) => residentBytes[1] / MIB),
    bytesPerConnection: byGateway(({ bytesPerConnection }) => Math.round(bytesPerConnection)),
    stepsMs: {},
  };
}

function outcomeOf({
  verdict,
}: Pick<RunReport, 'verdict'>): Pick<FigureRun, 'outcome' | 'reasons'> {
  const { outcome, reasons } = verdict;
  if (outcome === 'FAILED') throw new FailedRunError(reasons.join('; '));
  return { outcome, reasons };
}

/** Without those of processes that have ended meanwhile. */
function known(values: Record<string, number | null>): Record<string, number> {
  const pairs = Object.entries(values).filter((pair): pair is [string, number] => {
    return pair[1] !== null && !Number.isNaN(pair[1]);
  });
  return Object.fromEntries(pairs);
}

function inMib(bytes: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(bytes).map(([name, value]) => [name, value / MIB]));
}
