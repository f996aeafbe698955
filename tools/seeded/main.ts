import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODELS_VARIABLE } from '../stack/data-model';
import { ensureServers } from '../stack/download';
import { endLeftovers, RUN_VARIABLE } from '../stack/leftovers';
import { madeModels } from '../stack/made-models';
import { StackError, projectRoot } from '../stack/paths';
import { killGroup, runStageProgram } from '../stack/stage-program';
import { BUGS } from './bugs';
import { buildSeeded } from './seeded-build';
import { type SeededBug, TEST_DIST_VARIABLE, testsOf } from './seeded-bug';
import { nameFilter, outcomesOf, type TestOutcome, whyNotFound, whyNotGreen } from './verdict';

/**
 * `npm run test:seeded`: the product's build must pass the checks, and each build with a bug must turn
 * its check red. The last line is `N passed, N failed`.
 */

/** One run of jest is killed after this many milliseconds. */
const RUN_LIMIT_MS = 20 * 60_000;

let stopped: NodeJS.Signals | undefined;
const current = new Set<number>();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function onSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopped ??= signal;
      for (const pid of current) killGroup(pid, 'SIGTERM');
    });
  }
  process.on('disconnect', () => process.emit('SIGTERM'));
}

/** Runs the checks of bugs, and no other test; how long it took, and what became of the tests. */
async function runChecks(
  bugs: readonly SeededBug[],
  env: NodeJS.ProcessEnv,
): Promise<{ outcomes: TestOutcome[]; seconds: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-seeded-'));
  const report = join(folder, 'report.json');
  const checks = bugs.map(({ check }) => check);
  const specs = [...new Set(checks.map(({ spec }) => spec))];
  const tests = [...new Set(checks.flatMap(testsOf))];
  const output: Buffer[] = [];
  const began = performance.now();
  try {
    let running = 0;
    const end = await runStageProgram({
      command: join(projectRoot(), 'node_modules', '.bin', 'jest'),
      args: [
        '--selectProjects',
        'e2e',
        'fault',
        '--runTestsByPath',
        ...specs,
        '--testNamePattern',
        nameFilter(tests),
        '--maxWorkers=2',
        '--json',
        `--outputFile=${report}`,
      ],
      cwd: projectRoot(),
      env,
      report,
      timeoutMs: RUN_LIMIT_MS,
      started: (pid) => current.add((running = pid)),
      output: (text) => output.push(text),
    });
    current.delete(running);
    const seconds = (performance.now() - began) / 1000;
    if (end === 'late' || end === 'hung') throw new StackError(`The run was killed (${end}).`);
    return { outcomes: outcomesOf(readFileSync(report, 'utf8')), seconds };
  } catch (error) {
    const text = Buffer.concat(output).toString().slice(-4_000);
    throw new StackError(`${String(error)}\n${text}`, { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs the checks on the product's build. Says and gives what is not green. */
async function checkProduct(bugs: readonly SeededBug[], env: NodeJS.ProcessEnv): Promise<number> {
  const { outcomes, seconds } = await runChecks(bugs, env);
  const red = bugs.flatMap(({ check }) => whyNotGreen(check, outcomes) ?? []);
  for (const why of red) say(`RED  ${why}`);
  if (red.length === 0) say(`green: all ${bugs.length} checks in ${seconds.toFixed(0)} s`);
  return red.length;
}

/** Builds a bug and runs its check; a row for the table, or null when it was not found. */
async function hunt(bug: SeededBug, env: NodeJS.ProcessEnv): Promise<string | null> {
  try {
    const { dist, prepares } = await buildSeeded(bug);
    const { outcomes, seconds } = await runChecks([bug], {
      ...env,
      [TEST_DIST_VARIABLE]: dist,
      ...(prepares && { [MODELS_VARIABLE]: '' }),
    });
    const why = whyNotFound(bug.check, outcomes);
    if (why !== null) {
      say(`NOT FOUND  ${bug.name}: ${why}`);
      return null;
    }
    say(`found  ${bug.name} in ${seconds.toFixed(0)} s: broken is "${bug.promise}"`);
    rmSync(dist, { recursive: true, force: true });
    const { spec, test } = bug.check;
    return `| ${bug.name} | ${bug.promise} | \`${spec}\` › ${test} | ${seconds.toFixed(0)} s |`;
  } catch (error) {
    say(`NOT FOUND  ${bug.name}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** The bugs that the command line names; all when it names none. */
function selected(names: readonly string[]): readonly SeededBug[] {
  const unknown = names.find((name) => BUGS.every((bug) => bug.name !== name));
  if (unknown !== undefined) {
    const known = BUGS.map(({ name }) => name).join(', ');
    throw new StackError(`There is no seeded bug ${unknown}; there are ${known}.`);
  }
  return names.length === 0 ? BUGS : BUGS.filter(({ name }) => names.includes(name));
}

async function main(): Promise<number> {
  onSignals();
  const bugs = selected(process.argv.slice(2));
  await ensureServers(say);
  const run = randomUUID();
  const models = await madeModels(say);
  const env = { ...process.env, ...models?.environment, [RUN_VARIABLE]: run, FORCE_COLOR: '0' };
  let failed = 0;
  const rows: string[] = [];
  try {
    say(`\n== the product's build: ${bugs.length} checks`);
    failed += await checkProduct(bugs, env);
    say(`\n== ${bugs.length} builds with one bug each`);
    for (const bug of bugs) {
      if (stopped) break;
      const row = await hunt(bug, env);
      if (row === null) failed += 1;
      else rows.push(row);
    }
  } finally {
    if (!(await endLeftovers(run, say))) failed += 1;
    models?.remove();
  }
  say(`\n| Bug | Broken promise | Found by | after |\n|---|---|---|---|\n${rows.join('\n')}`);
  if (stopped) {
    say(`Stopped by ${stopped}.`);
    failed += 1;
  }
  say(`\n${rows.length} passed, ${failed} failed`);
  return failed === 0 && rows.length === bugs.length ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof StackError ? error.message : String(error));
    say('0 passed, 1 failed');
    process.exit(1);
  },
);
