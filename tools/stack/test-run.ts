import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureServers } from './download';
import { faultCode, readFaultRuns } from '../faults/fault-code';
import { leftFilter } from '../faults/fault-runs';
import { StackError, projectRoot } from './paths';
import { madeModels } from './made-models';
import { endLeftovers, RUN_VARIABLE } from './leftovers';
import { killGroup, runStageProgram, type StageEnd } from './stage-program';
import {
  choosesByName,
  type Lanes,
  lanesOf,
  LEFT,
  type Tally,
  type TestStage,
  selectStages,
  tallyOf,
} from './test-stages';

/** `npm test`: all stages in sequence; the last line is `N passed, N failed`. */

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

let stopped: NodeJS.Signals | undefined;
const current = new Set<number>();

/** Runs a stage and counts its tests. */
async function runStage(
  stage: TestStage,
  env: NodeJS.ProcessEnv,
  { jestArguments, beside }: { jestArguments: string[]; beside: boolean },
): Promise<Tally> {
  const output: Buffer[] = [];
  if (!beside) say(`\n== ${stage.title}`);
  const began = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'tidings-report-'));
  const report = join(folder, 'report.json');
  const keeper = join(projectRoot(), 'dist/tools/faults/runs-reporter.js');
  const reporters = stage.keepsRuns ? ['--reporters=default', `--reporters=${keeper}`] : [];
  // what stands behind `--reporters` is taken for another one
  const outputs = [...reporters, '--json', `--outputFile=${report}`];
  const extra = stage.jest ? [...outputs, ...jestArguments] : [];
  try {
    let ok = true;
    for (const { program, args } of stage.commands) {
      let running = 0;
      const end = await runStageProgram({
        args: [...args, ...extra],
        env,
        cwd: projectRoot(),
        command: join(projectRoot(), 'node_modules', '.bin', program),
        timeoutMs: stage.timeoutMs - (Date.now() - began),
        report: stage.jest ? report : undefined,
        started: (pid) => current.add((running = pid)),
        output: beside ? (text) => output.push(text) : undefined,
      });
      current.delete(running);
      sayWhyKilled(stage, end);
      ok &&= end === 'ok';
      if (stopped || end === 'late') break;
    }
    const tally = stage.jest
      ? jestTally(report, ok, choosesByName(jestArguments))
      : { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
    if (beside) say(`\n== ${stage.title}\n${Buffer.concat(output).toString()}`);
    const seconds = ((Date.now() - began) / 1000).toFixed(0);
    say(`-- ${stage.title}: ${tally.passed} passed, ${tally.failed} failed (${seconds} s)`);
    return tally;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sayWhyKilled({ title, timeoutMs }: TestStage, end: StageEnd): void {
  const minutes = timeoutMs / 60_000;
  if (end === 'late')
    say(`The stage "${title}" was killed: it took longer than ${minutes} minutes.`);
  if (end === 'hung') {
    say(
      `The stage "${title}" was killed: its tests had ended, it had not. A test leaves something open; ` +
        'find it with `npx jest --selectProjects … --detectOpenHandles <file>`.',
    );
  }
}

/** What runs side by side, in words. */
function besideText(lanes: Lanes): string {
  const names = lanes.map((lane) => lane.map((stage) => stage.title).join(', '));
  return `${names.join(' | ')}   (side by side; each is shown when it ends)`;
}

/** A stage that failed without a failed test (a broken file, a kill) counts as one failure. */
function jestTally(report: string, ok: boolean, named: boolean): Tally {
  try {
    const tally = tallyOf(readFileSync(report, 'utf8'), named);
    return ok || tally.failed > 0 ? tally : { ...tally, failed: 1 };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

/** The arguments for jest, with a filter in the place of `--left`. */
async function withoutThoseDone(words: readonly string[]): Promise<string[]> {
  if (!words.includes(LEFT)) return [...words];
  const filter = leftFilter(readFaultRuns(), await faultCode());
  return [...words.filter((word) => word !== LEFT), '--testNamePattern', filter];
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

async function main(): Promise<number> {
  onSignals();
  const { stages, jestArguments: words } = selectStages(process.argv.slice(2));
  const jestArguments = await withoutThoseDone(words);
  await ensureServers(say);
  const run = randomUUID();
  const models =
    jestArguments.length === 0 && stages.some((stage) => stage.servers)
      ? await madeModels(say)
      : null;
  const env = {
    ...process.env,
    ...models?.environment,
    [RUN_VARIABLE]: run,
    FORCE_COLOR: process.stdout.isTTY ? '1' : '0',
  };
  const total: Tally = { passed: 0, failed: 0 };
  try {
    for (const lanes of lanesOf(stages)) {
      const beside = lanes.length > 1;
      if (beside) say(`\n== ${besideText(lanes)}`);
      const runLane = async (lane: TestStage[]): Promise<void> => {
        for (const stage of lane) {
          if (stopped) break;
          const tally = await runStage(stage, env, { jestArguments, beside });
          total.passed += tally.passed;
          total.failed += tally.failed;
        }
      };
      await Promise.all(lanes.map(runLane));
    }
  } finally {
    if (!(await endLeftovers(run, say))) total.failed += 1;
    models?.remove();
  }
  if (stopped) {
    say(`Stopped by ${stopped}.`);
    total.failed += 1;
  }
  say(`\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

if (require.main === module) {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      process.stdout.write(`${error instanceof StackError ? error.message : String(error)}\n`);
      process.stdout.write('0 passed, 1 failed\n');
      process.exit(1);
    },
  );
}
