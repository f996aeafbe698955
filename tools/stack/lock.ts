import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

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
  try {
    const { pid, program } = JSON.parse(readFileSync(lockFile(dir), 'utf8')) as Partial<LockHolder>;
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
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, JSON.stringify(own), { flag: 'wx' });
      return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = lockHolder(dir);
    if (holder) return holder;
    rmSync(file, { force: true });
  }
  return lockHolder(dir) ?? { pid: 0, program: 'unknown' };
}

/** Gives the data directory back. */
export function releaseLock(dir: string): void {
  rmSync(lockFile(dir), { force: true });
}
