import { type LatencyCounts, type LatencySummary, summaryOf } from './generator/latency';
import type {
  ConnectResult,
  Drained,
  GeneratorResult,
  PresenceResult,
  ReceiptsResult,
} from './generator/protocol';
import { mergeReports } from './ledger-report';

type Part = GeneratorResult<LatencyCounts>;

/** What all generators together know of a run: sums, whole histograms, and the ledgers of all conversations. */
export function mergeResults(parts: readonly Part[]): GeneratorResult {
  const sum = (of: (part: Part) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  const latency = (of: (part: Part) => LatencyCounts): LatencySummary => summaryOf(parts.map(of));
  const afters = parts.map(({ deliveredAfterMs }) => deliveredAfterMs);
  return {
    scheduled: sum(({ scheduled }) => scheduled),
    runScheduled: sum(({ runScheduled }) => runScheduled),
    runSent: sum(({ runSent }) => runSent),
    latency: {
      sent: latency((part) => part.latency.sent),
      delivered: latency((part) => part.latency.delivered),
      stored: latency((part) => part.latency.stored),
    },
    slices: parts[0]!.slices.map((_, i) => latency(({ slices }) => slices[i]!)),
    scheduleLag: latency(({ scheduleLag }) => scheduleLag),
    refused: sums(parts.map(({ refused }) => refused)),
    failed: sums(parts.map(({ failed }) => failed)),
    resent: sum(({ resent }) => resent),
    held: sum(({ held }) => held),
    pending: sum(({ pending }) => pending),
    resyncs: sum(({ resyncs }) => resyncs),
    foreign: sum(({ foreign }) => foreign),
    closed: parts.flatMap(({ closed }) => closed),
    undeliveredAtEnd: sum(({ undeliveredAtEnd }) => undeliveredAtEnd),
    deliveredAfterMs: afters.reduce((most, one) => {
      return most === null || one === null ? null : Math.max(most, one);
    }),
    ledger: mergeReports(parts.map(({ ledger }) => ledger)),
    receipts: receiptsOf(parts.map(({ receipts }) => receipts)),
    presence: presenceOf(parts.map(({ presence }) => presence)),
  };
}

/** The sockets of all generators. */
export function mergeConnects(parts: readonly ConnectResult[]): ConnectResult {
  return {
    open: parts.reduce((total, { open }) => total + open, 0),
    byGateway: sums(parts.map(({ byGateway }) => byGateway)),
    misplaced: parts.reduce((total, { misplaced }) => total + misplaced, 0),
    limits: Object.assign({}, ...parts.map(({ limits }) => limits)) as ConnectResult['limits'],
    ms: Math.max(...parts.map(({ ms }) => ms)),
  };
}

/** The state of all generators after a run. */
export function mergeDrained(parts: readonly Drained[]): Drained {
  const [first, ...others] = parts.map(({ highest }) => highest);
  return {
    highest: first!.map((position, partition) =>
      Math.max(position, ...others.map((highest) => highest[partition]!)),
    ),
    endMs: Math.max(...parts.map(({ endMs }) => endMs)),
  };
}

function sums(parts: readonly Record<string, number>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const [name, count] of parts.flatMap((part) => Object.entries(part))) {
    all[name] = (all[name] ?? 0) + count;
  }
  return all;
}

function receiptsOf(
  parts: readonly (ReceiptsResult<LatencyCounts> | null)[],
): ReceiptsResult | null {
  const known = parts.filter((part) => part !== null);
  if (known.length === 0) return null;
  return {
    reads: known.reduce((total, { reads }) => total + reads, 0),
    seen: summaryOf(known.map(({ seen }) => seen)),
    unseen: known.reduce((total, { unseen }) => total + unseen, 0),
    invented: known.reduce((total, { invented }) => total + invented, 0),
  };
}

/** Watchers and whom they watch are in one generator: there is one part, or none. */
function presenceOf(
  parts: readonly (PresenceResult<LatencyCounts> | null)[],
): PresenceResult | null {
  const [part, ...more] = parts.filter((one) => one !== null);
  if (!part) return null;
  if (more.length > 0) throw new Error('presence is of one generator');
  const { state, close, connect } = part.seen;
  const messages = ({ sent, delivered }: (typeof part.messages)['calm']) => {
    return { sent: summaryOf([sent]), delivered: summaryOf([delivered]) };
  };
  return {
    ...part,
    seen: { state: summaryOf([state]), close: summaryOf([close]), connect: summaryOf([connect]) },
    messages: { calm: messages(part.messages.calm), churn: messages(part.messages.churn) },
    scheduleLag: summaryOf([part.scheduleLag]),
  };
}
