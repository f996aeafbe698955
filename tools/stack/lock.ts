import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { lockFileText, takeLockFile } from '@tidings/sdk/node';

/** Who holds a data directory. */
export interface LockHolder {
  pid: number;
  /** name of the program's file, to tell it from a stranger that got the same process id later */
  program: string;
}

function lockFile(dir: string): string {
  return join(dir, 'lock');
}

/** The running process that holds this data directory; undefined when nobody does. */
export function lockHolder(dir: string): LockHolder | undefined {
  const text = lockFileText(lockFile(dir));
  return text === undefined ? undefined : livingHolder(text);
}

/** Who wrote this into a lock file, if they still run. */
function livingHolder(text: string): LockHolder | undefined {
  try {
    const { pid, program } = JSON.parse(text) as Partial<LockHolder>;
    if (typeof pid !== 'number' || typeof program !== 'string') return undefined;
    return runs(pid, program) ? { pid, program } : undefined;
  } catch {
    return undefined;
  }
}

function runs(pid: number, program: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program);
  } catch {
    return true;
  }
}

/**
 * Takes the data directory for this process.
 * @returns the holder when another running process has it; undefined when it is ours now
 */
export function takeLock(dir: string): LockHolder | undefined {
  const file = lockFile(dir);
  mkdirSync(dirname(file), { recursive: true });
  const own: LockHolder = {
    pid: process.pid,
    program: basename(process.argv[1] ?? process.execPath),
  };
  let holder: LockHolder | undefined;
  const lives = (text: string): boolean => (holder = livingHolder(text)) !== undefined;
  return takeLockFile(file, JSON.stringify(own), lives) === undefined ? undefined : holder;
}

/** Gives the data directory back. */
export function releaseLock(dir: string): void {
  rmSync(lockFile(dir), { force: true });
}
