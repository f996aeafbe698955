import { readFileSync, readdirSync } from 'node:fs';

/** A process and all its descendants, parents first. Needs /proc. */
export function processTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), parentOf(name));
  }
  const tree = [root];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  }
  return tree;
}

/** Whether a process runs; one that has ended, of which only the exit status is left, does not. */
export function isRunning(pid: number): boolean {
  const [state = 'Z'] = statusOf(pid);
  return state !== 'Z' && state !== 'X';
}

/** 0 when it has ended. */
function parentOf(pid: string): number {
  return Number(statusOf(pid)[1] ?? 0);
}

/** State, parent and further fields of /proc/…/stat; none when it has ended. */
function statusOf(pid: number | string): string[] {
  try {
    // the command's name, in parentheses, may contain anything
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/**
 * Sends a signal to a process and its descendants. A server that forks (PostgreSQL) hangs only when
 * its children are stopped, too; the parent first, so that it makes no new ones meanwhile.
 */
export function signalTree(root: number, signal: NodeJS.Signals): void {
  for (const pid of processTree(root)) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended
    }
  }
}
