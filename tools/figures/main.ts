import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { environment } from '../load/environment';
import { StackError, projectRoot } from '../stack/paths';
import { pomVersions } from '../stack/versions';
import { type LoadJson, condense } from './condense';
import { type FigureFile, type FigureRun, HOURS, type Hour, writeFigure } from './figure-file';
import { FIGURES, type Figure, RUNS, sourcesOf } from './list';
import { hashesOf } from './sources';
import { measureStarts } from './starts';

const USAGE = `Usage: npm run figures -- [NAME …] [--hour ${HOURS.join('|')}] [--trial]

Measures what docs/PERFORMANCE.md shows, ${RUNS} runs each, and writes docs/figures/NAME.json; then \`npm run docs\`
writes the page. Takes half an hour for all, on a machine on which nothing else runs.

  --hour H    the host is quick (the default) or slow at this time: the page shows both beside each other
  --trial     tries the measurement: one run of a few seconds; prints the file and writes none

Names: ${FIGURES.map(({ name }) => name).join(', ')}`;

/** A trial's options stand behind the figure's own: the last one counts. */
const TRIAL = ['--runs', '1', '--seconds', '3', '--warmup', '2'];
const TRIAL_IDLE = ['--idle', '20,60'];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Exit codes of the load tool. */
const VOID = 2;
const INTERRUPTED = 130;

interface Options {
  figures: Figure[];
  hour: Hour;
  trial: boolean;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Reads the command line; null when help was asked for. @throws StackError naming what cannot be used. */
function parseOptions(args: string[]): Options | null {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      hour: { type: 'string', default: 'quick' },
      trial: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return null;
  const hour = HOURS.find((one) => one === values.hour);
  if (!hour) throw new StackError(`--hour: one of ${HOURS.join(', ')} is expected\n\n${USAGE}`);
  const unknown = positionals.filter((name) => !FIGURES.some((figure) => figure.name === name));
  if (unknown.length > 0) throw new StackError(`No figure is called ${unknown[0]}.\n\n${USAGE}`);
  const figures = FIGURES.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  );
  return { figures, hour, trial: values.trial };
}

/** The code that is measured: read before the first run, whatever becomes of the files meanwhile. */
interface Code {
  commit: string | null;
  hashes: Record<string, string>;
}

async function measured(
  figure: Figure,
  { hour, trial }: Options,
  { commit, hashes }: Code,
  abort: AbortSignal,
): Promise<FigureFile> {
  const { date, cpu, cores, memoryGiB, kernel, node } = environment(new Date());
  const loadAverage = loadavg();
  const runs = await runsOf(figure, trial, abort);
  return {
    name: figure.name,
    hour,
    command: commandOf(figure),
    date,
    commit,
    sources: Object.fromEntries(figure.sources.map((source) => [source, hashes[source]!])),
    // the version alone: what follows names who built it
    machine: { cpu, cores, memoryGiB, kernel: kernel.split('-')[0]! },
    versions: { node: node.slice(1), ...pomVersions().servers },
    loadAverage,
    runs,
  };
}

async function runsOf(figure: Figure, trial: boolean, abort: AbortSignal): Promise<FigureRun[]> {
  const runs = trial ? 1 : RUNS;
  if (figure.load === null) return measureStarts(runs, say, abort);
  const args = ['--own-stack', ...figure.load.split(' ')];
  if (figure.runs === 'by the load tool') {
    return load([...args, '--runs', String(runs), ...(trial ? TRIAL : [])], abort);
  }
  const all: FigureRun[] = [];
  for (let run = 1; run <= runs; run++) {
    all.push(...(await load([...args, ...(trial ? TRIAL_IDLE : [])], abort)));
  }
  return all;
}

/** Runs the load tool to its end. @throws StackError when it could not measure. */
async function load(args: readonly string[], abort: AbortSignal): Promise<FigureRun[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-figure-'));
  try {
    const json = join(dir, 'report.json');
    const program = join(projectRoot(), 'dist', 'tools', 'load', 'main.js');
    const child = spawn(process.execPath, [program, ...args, '--json', json], { stdio: 'inherit' });
    // it stops its stack, then ends
    const stop = (): void => void child.kill('SIGTERM');
    abort.addEventListener('abort', stop);
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    abort.removeEventListener('abort', stop);
    if (code !== 0 && code !== VOID) {
      throw new StackError(`The load tool ended with exit code ${code}.`);
    }
    return condense(JSON.parse(readFileSync(json, 'utf8')) as LoadJson);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function commandOf({ name, load: options, runs }: Figure): string {
  if (options === null) return `npm run figures -- ${name}`;
  const times = runs === 'by the load tool' ? ` --runs ${RUNS}` : '';
  return `npm run load -- --own-stack ${options}${times}`;
}

function commitNow(): string | null {
  const args = ['rev-parse', '--short=10', 'HEAD'];
  const { status, stdout } = spawnSync('git', args, { cwd: projectRoot(), encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const abort = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => abort.abort());
  const code: Code = {
    commit: commitNow(),
    hashes: await hashesOf(projectRoot(), sourcesOf(options.figures)),
  };
  const failed: string[] = [];
  for (const figure of options.figures) {
    const began = performance.now();
    say(`\n══ ${figure.name}: ${figure.title}`);
    try {
      const file = await measured(figure, options, code, abort.signal);
      if (options.trial) process.stdout.write(`${JSON.stringify(file, null, 1)}\n`);
      else say(`${writeFigure(join(projectRoot(), 'docs', 'figures'), file)} is written.`);
    } catch (error) {
      if (abort.signal.aborted) return INTERRUPTED;
      failed.push(figure.name);
      say(
        `${figure.name} has no figure: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    say(`${figure.name} took ${Math.round((performance.now() - began) / 1000)} s`);
  }
  if (failed.length === 0) return 0;
  say(`Without a figure: ${failed.join(', ')}`);
  return 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text = error instanceof StackError ? error.message : error;
    process.stderr.write(`${text instanceof Error ? text.stack : String(text)}\n`);
    process.exit(1);
  },
);
