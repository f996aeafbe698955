import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './download';

/** Inherited by every process of a test run, so that what is left of them is found. */
export const RUN_VARIABLE = 'TIDINGS_TEST_RUN';

/** Processes of this run that still live, on systems with /proc. */
function leftBehind(run: string): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = [];
  let names: string[];
  try {
    names = readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
    );
  } catch {
    return found;
  }
  for (const name of names) {
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'latin1').includes(`${RUN_VARIABLE}=${run}`))
        continue;
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      if (command !== '') found.push({ pid: Number(name), command: command.slice(0, 120) });
    } catch {
      // it has ended, or belongs to somebody else
    }
  }
  return found;
}

/** Gives guarded children the time to end, then ends and reports what is left. True when nothing was. */
export async function endLeftovers(run: string, say: Log): Promise<boolean> {
  for (let round = 0; round < 40 && leftBehind(run).length > 0; round++) await delay(250);
  const left = leftBehind(run);
  for (const { pid, command } of left) {
    say(`Left behind by the tests, now killed: process ${pid} (${command})`);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
  return left.length === 0;
}
