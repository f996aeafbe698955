import { z } from 'zod';

/** One run of a fault's test. */
const run = z.object({
  at: z.iso.datetime(),
  /** short; with `+` when files had been changed since; "" without git */
  commit: z.string(),
  /** a hash of the code that it ran on, and the pace where it was not the usual one (`… at 40`) */
  code: z.string(),
  node: z.string(),
  /** whether PostgreSQL's commits were on the disk */
  fsync: z.boolean(),
  /** load average of the last minute at its end, by the number of cores */
  loadPerCore: z.number(),
  seconds: z.number(),
});
export type FaultRun = z.infer<typeof run>;

/** What is kept of one test. */
const kept = z.object({
  spec: z.string(),
  /** green runs behind the last red one, the newest first, no more than are asked for */
  green: z.array(run),
  /** the last red one */
  red: run.optional(),
});
type KeptRuns = z.infer<typeof kept>;

/** By the full name of the test. */
export const faultRuns = z.record(z.string(), kept);
export type FaultRuns = z.infer<typeof faultRuns>;

/** So often in a row each is to be green on the same code. */
const IN_A_ROW = 2;

/** What is known with one more run. */
export function withRun(
  runs: FaultRuns,
  test: { name: string; spec: string; passed: boolean },
  last: FaultRun,
): FaultRuns {
  const { name, spec, passed } = test;
  const { green = [], red } = runs[name] ?? {};
  const now: KeptRuns = passed
    ? { spec, green: [last, ...green].slice(0, IN_A_ROW), red }
    : { spec, green: [], red: last };
  const names = [...new Set([...Object.keys(runs), name])].sort();
  return Object.fromEntries(names.map((one) => [one, one === name ? now : runs[one]!]));
}

/** How often in a row it was green on this code, up to now. */
function greenOn(code: string, { green }: KeptRuns): number {
  const other = green.findIndex((one) => one.code !== code);
  return other < 0 ? green.length : other;
}

/** What jest's `-t` needs to run all tests but those that were green often enough on this code. */
export function leftFilter(runs: FaultRuns, code: string): string {
  const done = Object.keys(runs).filter((name) => greenOn(code, runs[name]!) >= IN_A_ROW);
  const words = done.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return `^(?!(?:${words.join('|')})$)`;
}

const BEGIN = '<!-- fault runs -->';
const END = '<!-- end of fault runs -->';

/**
 * A page with the table of the runs between its marks.
 * @throws Error when the page has no place for it
 */
export function withFaultRuns(page: string, runs: FaultRuns): string {
  const [before, rest, ...more] = page.split(BEGIN);
  const [, after, ...others] = rest?.split(END) ?? [];
  if (after === undefined || more.length > 0 || others.length > 0) {
    throw new Error('not just one place for the fault runs');
  }
  const rows = Object.entries(runs).map(([name, one]) => rowOf(name, one));
  const head = [
    '| Fault | Spec | Green in a row, on one code | Last green | Last red |',
    '|---|---|---|---|---|',
  ];
  return `${before}${BEGIN}\n\n${[...head, ...rows].join('\n')}\n\n${END}${after}`;
}

function rowOf(name: string, one: KeptRuns): string {
  const spec = one.spec.replace(/^test\/fault\/|\.fault-spec\.ts$/g, '');
  const [last] = one.green;
  const times = last === undefined ? 0 : greenOn(last.code, one);
  const cells = [name, `\`${spec}\``, String(times), textOf(last), textOf(one.red)];
  return `| ${cells.join(' | ')} |`;
}

function textOf(one: FaultRun | undefined): string {
  if (!one) return '–';
  const { at, commit, seconds, loadPerCore, fsync } = one;
  const durable = fsync ? ', `fsync`' : '';
  return `${at.slice(0, 10)}, ${commit || 'no git'}, ${seconds} s, load ${loadPerCore.toFixed(1)} a core${durable}`;
}
