import type { LatencySummary } from './generator/latency';
import { costText, headLines, latencyLine, quantileHead } from './report';
import type { SyncReport } from './syncs';
import type { LoadOptions } from './args';
import type { ReportHead } from './report';

const ROWS: readonly [keyof SyncReport['result']['latency'], string][] = [
  ['ticket', 'start → ticket'],
  ['upgraded', 'upgrade → synced'],
  ['synced', 'start → synced'],
  ['closed', 'start → closed'],
];

/** First lines of the report: what is measured and where. */
export function syncHeadText(head: ReportHead & { options: LoadOptions }): string {
  const { rate, users, warmupSeconds, seconds, runs, seed, workload } = head.options;
  return headLines(
    head,
    `${rate} per second open loop (Poisson), ${users} users with ${workload.conversations} conversations each, ` +
      `${warmupSeconds} s warm-up, ${runs} × ${seconds} s, seed ${seed}`,
  );
}

/** One run: latencies, what was checked, costs, verdict. */
export function syncText(run: SyncReport, title: string): string {
  const { result, verdict, rowsRead, presence } = run;
  const measured = ROWS.filter(([name]) => result.latency[name].count > 0);
  return [
    `── ${title}: ${run.name}: ${verdict.outcome}`,
    ...verdict.reasons.map((reason) => `   ${reason}`),
    quantileHead(),
    ...measured.map(([name, words]) => latencyLine(words, result.latency[name])),
    latencyLine('(generator lag)', result.scheduleLag),
    `   ledger: ${result.right} of ${result.scheduled} answers whole and as the store has it` +
      (result.delayed > 0 ? `; ${result.delayed} were delayed and asked for again` : ''),
    ...(rowsRead === null ? [] : [`   rows of messages that PostgreSQL read: ${rowsRead}`]),
    ...(presence === null
      ? []
      : [
          `   presence: ${presence.events} events, ${presence.users} users are told to be otherwise`,
        ]),
    costText({ ...run, cpuUsPerMessage: run.cpuUsPerSync, memoryBytes: null }, 'sync'),
    '',
  ].join('\n');
}

/** p99 of each step, over its runs. */
export function syncSummaryText(runs: readonly SyncReport[]): string {
  const names = [...new Set(runs.map(({ name }) => name))];
  if (runs.length <= names.length) return '';
  const lines = names.flatMap((name) =>
    ROWS.map(([row, words]) => {
      const all = runs.filter((run) => run.name === name).map(({ result }) => result.latency[row]);
      return all.some(({ count }) => count > 0) ? `   ${name}, ${words}: ${p99s(all)}` : null;
    }),
  );
  return ['── p99 ms of the runs', ...lines.filter((line) => line !== null), ''].join('\n');
}

function p99s(all: readonly LatencySummary[]): string {
  return all.map(({ p99 }) => p99.toFixed(1)).join(', ');
}
