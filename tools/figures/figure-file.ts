import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** Figures were measured in an hour in which the host was quick, or slow: the page shows both beside each other. */
export const HOURS = ['quick', 'slow'] as const;
export type Hour = (typeof HOURS)[number];

/** Numbers by name: of a process, of a step, of what is counted. */
const numbers = z.record(z.string(), z.number());

export type Latency = z.infer<typeof latency>;
const latency = z.strictObject({
  count: z.number(),
  p50: z.number(),
  p90: z.number(),
  p99: z.number(),
  p999: z.number(),
  max: z.number(),
});

/** One run, in quantiles and sums. */
const figureRun = z.strictObject({
  /** what was measured: a column of the table */
  variant: z.string(),
  outcome: z.enum(['PASSED', 'VOID']),
  /** why it is void, or what was noticed */
  reasons: z.array(z.string()),
  seed: z.number().optional(),
  /** milliseconds from the schedule, unless the name says otherwise */
  latencyMs: z.record(z.string(), latency).default({}),
  counts: numbers.default({}),
  /** CPU µs per message (or connect, or call), by process */
  cpuUs: numbers.default({}),
  /** at the end of the run, by process */
  memoryMiB: numbers.default({}),
  /** bytes of resident memory per idle connection, by gateway */
  bytesPerConnection: numbers.default({}),
  /** milliseconds from the beginning of the process to the end of a step, by process and step */
  stepsMs: z.record(z.string(), numbers).default({}),
  generator: z.strictObject({ share: z.number(), lagP99Ms: z.number() }).optional(),
  /** cores that other programs used meanwhile */
  foreignCores: z.number().optional(),
});
export type FigureRun = z.infer<typeof figureRun>;

/** One published figure, as it lies in `docs/figures`. Nothing in it names the machine's owner or network. */
const figureFile = z.strictObject({
  name: z.string(),
  hour: z.enum(HOURS),
  command: z.string(),
  /** ISO 8601 */
  date: z.string(),
  /** of the code; null: it was no clone */
  commit: z.string().nullable(),
  /** hashes of what the figure depends on, by folder or file */
  sources: z.record(z.string(), z.string()),
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.number(),
    memoryGiB: z.number(),
    kernel: z.string(),
  }),
  versions: z.strictObject({
    node: z.string(),
    kafka: z.string(),
    redis: z.string(),
    postgres: z.string(),
  }),
  /** over 1, 5 and 15 minutes, before the first run */
  loadAverage: z.array(z.number()),
  runs: z.array(figureRun),
});
export type FigureFile = z.infer<typeof figureFile>;

function fileName({ name, hour }: Pick<FigureFile, 'name' | 'hour'>): string {
  return hour === 'quick' ? `${name}.json` : `${name}.${hour}.json`;
}

/** All figures of a folder. @throws ZodError when one has something else in it. */
export function readFigures(dir: string): FigureFile[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const figure = figureFile.parse(JSON.parse(readFileSync(join(dir, name), 'utf8')));
      if (fileName(figure) !== name) throw new Error(`${name} has the figure ${fileName(figure)}`);
      return figure;
    });
}

/** Writes a figure, a line for each group of numbers; gives the path. */
export function writeFigure(dir: string, figure: FigureFile): string {
  const path = join(dir, fileName(figure));
  mkdirSync(dir, { recursive: true });
  const text = JSON.stringify(figureFile.parse(figure), withoutEmpty);
  writeFileSync(path, `${linesOf(JSON.parse(text) as FigureFile)}\n`);
  return path;
}

function linesOf({ runs, ...about }: FigureFile): string {
  const each = runs.map((run) => `    {\n${members(run, '      ')}\n    }`).join(',\n');
  return `{\n${members(about, '  ')},\n  "runs": [\n${each}\n  ]\n}`;
}

function members(object: object, indent: string): string {
  return Object.entries(object)
    .map(([name, value]) => `${indent}${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .join(',\n');
}

/** Leaves out groups without a number; rounds to four digits. */
function withoutEmpty(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isInteger(value)) return Number(value.toPrecision(4));
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return empty && !Array.isArray(value) ? undefined : value;
}
