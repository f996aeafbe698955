import type { PresenceResult } from './generator/protocol';
import type { RunReport } from './measure';
import { costText, latencyLine, spread } from './report';

/** What watchers saw, and what it did to the messages; empty lines without presence. */
export function churnLines(run: RunReport): string[] {
  const { presence } = run.result;
  if (!presence || !run.churn) return [];
  const { seen, messages, sights, compared, scheduleLag } = presence;
  const { calm, churn } = run.churn.serverCores;
  return [
    latencyLine('state → seen', seen.state),
    latencyLine('close → seen', seen.close),
    latencyLine('connect → seen', seen.connect),
    latencyLine('(lag of changes)', scheduleLag),
    latencyLine('delivered, calm', messages.calm.delivered),
    latencyLine('delivered, churn', messages.churn.delivered),
    `   messages' p99 without → with changes: ${ratioText(presence)}`,
    `   presence: ${sights.seen} times seen, ${sights.lost} lost, ${sights.excused} not waited for; ` +
      `${presence.runChanges} changes measured; ${compared} last words compared with GET`,
    `   cores of all servers: ${calm.toFixed(2)} without, ${churn.toFixed(2)} with changes`,
    costText(
      {
        cpuUsPerMessage: run.churn.cpuUsPerChange,
        memoryBytes: null,
        generatorShare: run.churn.generatorShare,
        foreignCores: run.foreignCores,
      },
      'change',
    ),
  ];
}

/** Delivered p99 while presence changes, as a multiple of that without. */
function churnRatio({ messages: { calm, churn } }: PresenceResult): number {
  return churn.delivered.p99 / calm.delivered.p99;
}

/** min – median – max over the runs. */
export function churnSummaryText(runs: readonly RunReport[]): string {
  const all = runs.flatMap(({ result }) => (result.presence ? [result.presence] : []));
  if (all.length < 2) return '';
  const line = (name: string, of: (one: PresenceResult) => number): string => {
    const { min, median, max } = spread(all.map(of));
    return `   ${name.padEnd(36)}${[min, median, max].map((value) => value.toFixed(2)).join(' – ')}`;
  };
  return [
    '── changes of presence, min – median – max of the runs',
    line('state → seen p99 ms', ({ seen }) => seen.state.p99),
    line('close → seen p99 ms', ({ seen }) => seen.close.p99),
    line('connect → seen p99 ms', ({ seen }) => seen.connect.p99),
    line('delivered p99, with : without', churnRatio),
    '',
  ].join('\n');
}

function ratioText(presence: PresenceResult): string {
  const { calm, churn } = presence.messages;
  const of = (what: 'sent' | 'delivered'): string => {
    const [a, b] = [calm[what].p99, churn[what].p99];
    return `${what} ${a.toFixed(2)} → ${b.toFixed(2)} ms (× ${(b / a).toFixed(2)})`;
  };
  return `${of('sent')}, ${of('delivered')}`;
}
