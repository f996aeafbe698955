import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { guard, unguard } from './guardian';

/** How long a test run may take to end by itself after its last test, in milliseconds. */
const END_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;

/** How a program of a stage ended. `late`: it was killed at the stage's time limit. */
export type StageEnd = 'ok' | 'failed' | 'late' | 'hung';

/** What a program of a stage runs with. */
export interface StageProgram {
  command: string;
  args: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** milliseconds until it is killed */
  timeoutMs: number;
  /**
   * A file that it writes after its last test. When it has not ended some seconds later it is killed
   * as `hung`: something was left open (a socket, a timer), which would hide behind a forced exit.
   */
  report?: string;
  endWithinMs?: number;
  /** Takes what it writes, which goes straight to our output otherwise. */
  output?: (text: Buffer) => void;
  /** Told its process group as soon as it runs. */
  started?: (pid: number) => void;
}

/** Sends a signal to a process group. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // it has ended
  }
}

/** Runs a program to its end; nothing of its group is left. Never rejects. */
export async function runStageProgram(program: StageProgram): Promise<StageEnd> {
  const { command, args, cwd, env, timeoutMs, report, started } = program;
  const child = spawn(command, args, {
    cwd,
    env,
    detached: true,
    stdio: program.output ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
  });
  if (program.output) {
    child.stdout?.on('data', program.output);
    child.stderr?.on('data', program.output);
  }
  const { pid } = child;
  let killedAs: StageEnd | undefined;
  const kill = (as: StageEnd): void => {
    killedAs ??= as;
    if (pid !== undefined) killGroup(pid, 'SIGKILL');
  };
  if (pid !== undefined) {
    guard(pid, 'SIGTERM');
    started?.(pid);
  }
  const limit = setTimeout(() => kill('late'), timeoutMs);
  const watch = watchEnd(report, program.endWithinMs ?? END_WITHIN_MS, () => kill('hung'));
  const ok = await new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
  clearTimeout(limit);
  clearInterval(watch);
  if (pid !== undefined) {
    unguard(pid);
    killGroup(pid, 'SIGKILL');
  }
  return killedAs ?? (ok ? 'ok' : 'failed');
}

/** Calls `hung` when the report has been there for so long. */
function watchEnd(report: string | undefined, withinMs: number, hung: () => void) {
  if (report === undefined) return undefined;
  let seenAt: number | undefined;
  return setInterval(() => {
    if (seenAt === undefined) {
      if (existsSync(report)) seenAt = performance.now();
    } else if (performance.now() - seenAt > withinMs) hung();
  }, LOOK_EVERY_MS);
}
