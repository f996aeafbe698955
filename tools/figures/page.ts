import { spread } from '../load/report';
import { type FigureFile, type FigureRun, HOURS } from './figure-file';
import { FIGURES, type Figure, type Row } from './list';

const BEGIN = (name: string): string => `<!-- figure ${name} -->`;
const END = '<!-- end of figure -->';

/** A step of a start that took less is not told, in milliseconds. */
const SHORT_STEP_MS = 20;

/** A column: the runs of one variant in one hour. */
interface Column {
  heading: string;
  variant: string;
  runs: FigureRun[];
}

/** Folders and files that do something else than they did when the figure was measured. */
export function changedSince(
  file: Pick<FigureFile, 'sources'>,
  hashes: Readonly<Record<string, string>>,
): string[] {
  return Object.keys(file.sources).filter((source) => hashes[source] !== file.sources[source]);
}

/**
 * A page with its figures' tables as the files have them, each between `<!-- figure NAME -->` and
 * `<!-- end of figure -->`.
 * @throws Error when the page has no place for one of the figures, or one for none.
 */
export function withFigures(
  page: string,
  files: readonly FigureFile[],
  hashes: Readonly<Record<string, string>>,
): string {
  const places = [...page.matchAll(/<!-- figure (\S+) -->/g)].map((match) => match[1]!);
  const names = FIGURES.map(({ name }) => name);
  const wrong = [...places, ...names].filter(
    (name) => !names.includes(name) || places.filter((one) => one === name).length !== 1,
  );
  if (wrong.length > 0)
    throw new Error(`not just one place for: ${[...new Set(wrong)].join(', ')}`);
  return FIGURES.reduce((text, figure) => {
    const begin = text.indexOf(BEGIN(figure.name)) + BEGIN(figure.name).length;
    const end = text.indexOf(END, begin);
    if (end < 0) throw new Error(`${figure.name} has no end`);
    const own = files.filter(({ name }) => name === figure.name);
    return `${text.slice(0, begin)}\n${figureText(figure, own, hashes)}\n${text.slice(end)}`;
  }, page);
}

function figureText(
  figure: Figure,
  files: readonly FigureFile[],
  hashes: Readonly<Record<string, string>>,
): string {
  const measured = HOURS.flatMap((hour) => files.filter((file) => file.hour === hour));
  if (measured.length === 0) {
    return `**${figure.title}:** not measured yet (\`npm run figures -- ${figure.name}\`).\n`;
  }
  const columns = measured.flatMap((file) =>
    Object.entries(figure.variants).map(([variant, heading]) => ({
      heading: file.hour === 'quick' ? heading : `${heading}, ${file.hour} hour`,
      variant,
      runs: file.runs.filter((run) => run.variant === variant),
    })),
  );
  return [
    `**${figure.title}**`,
    '',
    ...measured.flatMap((file) => about(file, changedSince(file, hashes).length > 0)),
    '',
    ...tableOf(figure, columns),
    '',
    ...startText(columns),
    ...costs(columns),
    ...remarks(columns),
  ].join('\n');
}

/** Where it comes from, and whether the code has gone on since. */
function about(file: FigureFile, old: boolean): string[] {
  const { machine, versions, commit, date, command, loadAverage, hour } = file;
  const code = commit === null ? 'a copy without history' : `commit ${commit}`;
  const load = loadAverage.map((one) => one.toFixed(1)).join(', ');
  return [
    ...(old
      ? ['**Older than the code:** what this figure depends on has changed since it was measured.']
      : []),
    `\`${command}\`; ${hour} hour, ${date.slice(0, 16).replace('T', ' ')} UTC, ${code}, ${machine.cores} × ${machine.cpu}, ` +
      `${machine.memoryGiB} GiB, Node ${versions.node}, Kafka ${versions.kafka}, Redis ${versions.redis}, ` +
      `PostgreSQL ${versions.postgres}, load average before ${load}.`,
  ];
}

function tableOf({ rows }: Figure, columns: readonly Column[]): string[] {
  const goals = rows.some(({ goal }) => goal !== undefined);
  const compares = isCompared(columns);
  const counts = [...new Set(columns.map(({ runs }) => runs.length))].join(' or ');
  const head = [
    `worst – median – best of ${counts} runs`,
    ...columns.map(({ heading }) => heading),
    ...(compares ? ['product : bare pipeline, worst and median'] : []),
    ...(goals ? ['goal'] : []),
  ];
  const body = rows.map((row) => [
    row.title,
    ...columns.map((column) => cell(row, column)),
    ...(compares ? [ratio(row, columns)] : []),
    ...(goals ? [goalText(row, columns)] : []),
  ]);
  return table(head, body);
}

function table(head: readonly string[], body: readonly string[][]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)];
}

/** The worst first, bold where it misses its goal. */
function cell(row: Row, { runs, variant }: Column): string {
  const values = valuesOf(row, runs);
  if (values.length === 0) return '–';
  const { min, median, max } = spread(values);
  const goal = goalOf(row, variant);
  const worst = goal !== undefined && max > goal ? `**${text(max)}**` : text(max);
  return values.length === 1 ? worst : `${worst} – ${text(median)} – ${text(min)}`;
}

function valuesOf({ of }: Row, runs: readonly FigureRun[]): number[] {
  return runs.map(of).filter((value) => value !== undefined);
}

function goalOf({ goal }: Row, variant: string): number | undefined {
  return typeof goal === 'object' ? goal[variant] : goal;
}

function goalText(row: Row, columns: readonly Column[]): string {
  const variants = [...new Set(columns.map(({ variant }) => variant))];
  const goals = variants.map((variant) => goalOf(row, variant));
  return [...new Set(goals)]
    .filter((goal) => goal !== undefined)
    .map(text)
    .join(' / ');
}

function isCompared(columns: readonly Column[]): boolean {
  return ['baseline', 'product'].every((name) => columns.some(({ variant }) => variant === name));
}

/** Of each hour: the worst of both, then the medians. */
function ratio(row: Row, columns: readonly Column[]): string {
  const spreads = (name: string): { median: number; max: number }[] =>
    columns
      .filter(({ variant }) => variant === name)
      .map(({ runs }) => spread(valuesOf(row, runs)));
  const bare = spreads('baseline');
  return spreads('product')
    .map(({ median, max }, hour) => {
      const beside = bare[hour]!;
      return `${(max / beside.max).toFixed(2)}, ${(median / beside.median).toFixed(2)}`;
    })
    .join(' / ');
}

/** Three digits, thousands apart. */
function text(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** When each process of a start had done its last step, and what each step took in the worst of the last column's runs. */
function startText(columns: readonly Column[]): string[] {
  const shown = columns.filter(({ runs }) => runs.some(hasSteps));
  const last = shown.at(-1);
  if (!last) return [];
  const names = [
    ...new Set(shown.flatMap(({ runs }) => runs).flatMap((run) => Object.keys(run.stepsMs))),
  ];
  const rows = names.map((name) => ({ title: name, of: (run: FigureRun) => endOf(run, name) }));
  const body = rows.map((row) => [row.title, ...shown.map((column) => cell(row, column))]);
  const lines = rows.map((row) => {
    const worst = [...last.runs].sort((a, b) => (row.of(b) ?? 0) - (row.of(a) ?? 0))[0];
    return `- ${row.title}: ${stepsText(worst?.stepsMs[row.title] ?? {})}`;
  });
  return [
    ...table(['ms until its last step', ...shown.map(({ heading }) => heading)], body),
    '',
    `Steps of the worst run each (${last.heading}), ms; those below ${SHORT_STEP_MS} are left out:`,
    '',
    ...lines,
    '',
  ];
}

function hasSteps({ stepsMs }: FigureRun): boolean {
  return Object.keys(stepsMs).length > 0;
}

function endOf({ stepsMs }: FigureRun, name: string): number | undefined {
  const times = Object.values(stepsMs[name] ?? {});
  return times.length === 0 ? undefined : Math.max(...times);
}

function stepsText(steps: Readonly<Record<string, number>>): string {
  const inOrder = Object.entries(steps).sort(([, a], [, b]) => a - b);
  return inOrder
    .map(([step, at], index) => [step, at - (inOrder[index - 1]?.[1] ?? 0)] as const)
    .filter(([, took]) => took >= SHORT_STEP_MS)
    .map(([step, took]) => `${step} ${text(took)}`)
    .join(', ');
}

/** CPU of each process in the run whose sum is the middle one. */
function costs(columns: readonly Column[]): string[] {
  const lines = columns.flatMap(({ heading, runs }) => {
    const sum = ({ cpuUs }: FigureRun): number => Object.values(cpuUs).reduce((a, b) => a + b, 0);
    const sorted = [...runs].sort((a, b) => sum(a) - sum(b));
    const middle = sorted[Math.floor(sorted.length / 2)];
    if (!middle || Object.keys(middle.cpuUs).length === 0) return [];
    const parts = Object.entries(middle.cpuUs).map(([name, us]) => `${name} ${text(us)}`);
    return [`- ${heading}: ${parts.join(', ')}`];
  });
  return lines.length === 0
    ? []
    : ['CPU by process, µs each, in the run in the middle:', '', ...lines, ''];
}

/** What is not as it should be, and how often. */
function remarks(columns: readonly Column[]): string[] {
  return columns.flatMap(({ heading, runs }) => {
    const invalid = runs.filter(({ outcome }) => outcome === 'VOID');
    if (invalid.length === 0) return [];
    const reasons = invalid.map(({ reasons: all }) => all.join('; ')).join(' – ');
    return [`${heading}: ${invalid.length} of ${runs.length} runs void: ${reasons}.`, ''];
  });
}
