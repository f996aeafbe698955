import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { projectRoot, StackError } from './paths';
import { runProgram } from './run-program';
import { killGroup, runStageProgram } from './stage-program';
import { selectStages, type Tally } from './test-stages';

/**
 * `npm run test:nodes`: the integration and end-to-end tests on every supported version of Node. One line per version
 * at the end; the last line is `N passed, N failed`.
 */

/** What runs when the command line names no stage. */
const STAGES = ['integration', 'e2e'];
/** One version's whole run is killed after this many milliseconds. */
const RUN_LIMIT_MS = 2 * 3_600_000;
const DOWNLOAD_LIMIT_MS = 10 * 60_000;
/** Output of a run that is kept to find its last line, in characters. */
const KEPT_CHARACTERS = 2_000;

/** What the command line asks for. */
export interface NodesSelection {
  /** Major versions, in the order of their runs. */
  majors: number[];
  /** Handed to the test run: stages, then paths and options of jest. */
  testArguments: string[];
}

/** Major versions that `engines` names: those that are tested. */
export function testedMajors(engines: string): number[] {
  return engines.split('||').map((range) => {
    const major = /^\s*\^([0-9]+)\.[0-9]+\.[0-9]+\s*$/.exec(range)?.[1];
    if (major === undefined)
      throw new StackError(`engines names no version by ^: ${range.trim()}.`);
    return Number(major);
  });
}

/**
 * Leading numbers are versions of Node, all tested ones when there is none; the rest is for the test run.
 * @throws StackError for a version that is not among the tested ones.
 */
export function selectNodes(args: readonly string[], tested: readonly number[]): NodesSelection {
  const end = args.findIndex((word) => !/^[0-9]+$/.test(word));
  const named = args.slice(0, end < 0 ? args.length : end).map(Number);
  const unknown = named.find((major) => !tested.includes(major));
  if (unknown !== undefined) {
    throw new StackError(`Node ${unknown} is not among ${tested.join(', ')}.`);
  }
  const rest = args.slice(named.length);
  const namesStage = selectStages(rest).jestArguments.length < rest.length;
  return {
    majors: named.length > 0 ? named : [...tested],
    testArguments: namesStage ? rest : [...STAGES, ...rest],
  };
}

/** The counts in the last line of a test run's output. One that failed without a count failed once. */
export function tallyOfRun(output: string, ok: boolean): Tally {
  const [, passed, failed] =
    [...output.matchAll(/^([0-9]+) passed, ([0-9]+) failed\s*$/gm)].at(-1) ?? [];
  const tally = { passed: Number(passed ?? 0), failed: Number(failed ?? 0) };
  return ok || tally.failed > 0 ? tally : { ...tally, failed: 1 };
}

/** One version's summary. */
export function summaryLine(name: string, tally: Tally, seconds: number): string {
  return `Node ${name}: ${tally.passed} passed, ${tally.failed} failed (${Math.round(seconds)} s)`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Where downloaded versions of Node live (`TIDINGS_NODES_DIR` moves it). */
function nodesDir(): string {
  return resolve(process.env['TIDINGS_NODES_DIR'] ?? join(projectRoot(), '.data', 'nodes'));
}

/** What `--version` says, without the v; undefined when the program does not run. */
function versionOf(program: string): string | undefined {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return /^v([0-9.]+)\s*$/.exec(stdout ?? '')?.[1];
}

const majorOf = (version: string | undefined): number => Number(version?.split('.')[0]);

/** npm's package with the program for this machine; unlike the package `node` it needs no install script. */
function nodePackage(): string {
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  return `${prefix}-${process.platform}-${process.arch}`;
}

/**
 * The program of a version: this one, one that is there, or one that npm downloads.
 * @throws StackError with one sentence when it cannot be had.
 */
async function nodeProgram(major: number): Promise<string> {
  if (majorOf(process.versions.node) === major) return process.execPath;
  const home = join(nodesDir(), String(major));
  const present = (): string | undefined =>
    [nodePackage(), 'node']
      .map((name) => join(home, 'node_modules', name, 'bin', 'node'))
      .find((program) => existsSync(program) && majorOf(versionOf(program)) === major);
  const found = present();
  if (found !== undefined) return found;
  say(`Downloading Node ${major} with npm into ${home}`);
  mkdirSync(home, { recursive: true });
  const wanted = `${nodePackage()}@${major}`;
  const { code, output } = await runProgram(
    'npm',
    ['install', '--prefix', home, '--no-save', '--no-audit', '--no-fund', wanted],
    { cwd: home, timeoutMs: DOWNLOAD_LIMIT_MS },
  );
  const downloaded = code === 0 ? present() : undefined;
  if (downloaded !== undefined) return downloaded;
  const reason = output.trim().split('\n').at(-1) ?? '';
  throw new StackError(`Node ${major} could not be had from npm (${reason.slice(0, 200)}).`);
}

let stopped: NodeJS.Signals | undefined;
let running: number | undefined;

function onSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopped ??= signal;
      if (running !== undefined) killGroup(running, 'SIGTERM');
    });
  }
  process.on('disconnect', () => process.emit('SIGTERM'));
}

/** Runs the tests on one version. */
async function runOn(program: string, testArguments: readonly string[]): Promise<Tally> {
  let output = '';
  const end = await runStageProgram({
    command: program,
    args: [join(__dirname, 'test-run.js'), ...testArguments],
    cwd: projectRoot(),
    // programs that the tests start by the name node are this version, too
    env: { ...process.env, PATH: `${dirname(program)}${delimiter}${process.env['PATH'] ?? ''}` },
    timeoutMs: RUN_LIMIT_MS,
    started: (pid) => (running = pid),
    output: (text) => {
      process.stdout.write(text);
      output = (output + text.toString('utf8')).slice(-KEPT_CHARACTERS);
    },
  });
  running = undefined;
  return tallyOfRun(output, end === 'ok');
}

async function main(): Promise<number> {
  onSignals();
  const { engines } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const { majors, testArguments } = selectNodes(process.argv.slice(2), testedMajors(engines.node));
  const lines: string[] = [];
  const total: Tally = { passed: 0, failed: 0 };
  for (const major of majors) {
    if (stopped) break;
    const began = performance.now();
    let tally: Tally = { passed: 0, failed: 1 };
    let name = String(major);
    try {
      const program = await nodeProgram(major);
      name = versionOf(program) ?? name;
      say(`\n==== Node ${name}`);
      tally = await runOn(program, testArguments);
    } catch (error) {
      say(error instanceof StackError ? error.message : String(error));
    }
    lines.push(summaryLine(name, tally, (performance.now() - began) / 1000));
    total.passed += tally.passed;
    total.failed += tally.failed;
  }
  if (stopped) {
    lines.push(`Stopped by ${stopped}.`);
    total.failed += 1;
  }
  say(`\n${lines.join('\n')}`);
  say(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

if (require.main === module) {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      say(error instanceof StackError ? error.message : String(error));
      say('0 passed, 1 failed');
      process.exit(1);
    },
  );
}
