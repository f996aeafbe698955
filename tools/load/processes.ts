import { readFileSync, readdirSync } from 'node:fs';

/** A process to account for: its id and the name in the report. Its children count with it. */
export interface WatchedProcess {
  name: string;
  pid: number;
}

/** Linux reports CPU times in hundredths of a second (`sysconf(_SC_CLK_TCK)`). */
const TICK_US = 10_000;

/** The parts of /proc/<pid>/stat that are used here (proc_pid_stat(5)). */
export interface ProcessStat {
  parent: number;
  /** CPU time of the process itself, microseconds */
  ownUs: number;
  /** CPU time of its children that have ended and were waited for, microseconds */
  reapedUs: number;
}

/** Reads one line of /proc/<pid>/stat. The command name may hold spaces and parentheses. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const ticks = (index: number): number => Number(fields[index]) * TICK_US;
  // field 3 (state) has index 0 here
  return {
    parent: Number(fields[1]),
    ownUs: ticks(11) + ticks(12),
    reapedUs: ticks(13) + ticks(14),
  };
}

function allStats(): Map<number, ProcessStat> {
  const stats = new Map<number, ProcessStat>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      stats.set(Number(entry), parseStat(readFileSync(`/proc/${entry}/stat`, 'utf8')));
    } catch {
      // ended meanwhile
    }
  }
  return stats;
}

function treeOf(root: number, stats: ReadonlyMap<number, ProcessStat>): number[] {
  const tree = [root];
  for (const pid of tree) {
    for (const [child, { parent }] of stats) if (parent === pid) tree.push(child);
  }
  return tree.filter((pid) => stats.has(pid));
}

/** CPU time in microseconds of each process with all its descendants, living and ended. */
export function cpuTimes(processes: readonly WatchedProcess[]): Record<string, number> {
  const stats = allStats();
  const times: Record<string, number> = {};
  for (const { name, pid } of processes) {
    times[name] = treeOf(pid, stats).reduce((sum, member) => {
      const stat = stats.get(member)!;
      return sum + stat.ownUs + stat.reapedUs;
    }, 0);
  }
  return times;
}

/**
 * CPU time in microseconds that the whole machine has spent working, interrupts included
 * (proc_stat(5), line `cpu`: all but idle, I/O wait and what guests and the host count twice or took).
 */
export function machineCpuTime(): number {
  return parseMachineStat(readFileSync('/proc/stat', 'utf8'));
}

/** Reads the first line of /proc/stat. */
export function parseMachineStat(text: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = text
    .slice(0, text.indexOf('\n'))
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softIrq) * TICK_US;
}

/**
 * Memory in bytes of each process with its descendants: proportional set size where the kernel tells
 * it (shared pages of PostgreSQL's backends count once), else resident set size.
 */
export function memory(processes: readonly WatchedProcess[]): Record<string, number> {
  const stats = allStats();
  const bytes: Record<string, number> = {};
  for (const { name, pid } of processes) {
    const tree = treeOf(pid, stats);
    bytes[name] =
      tree.length === 1
        ? residentBytes(pid)
        : tree.reduce(
            (sum, member) => sum + (proportionalBytes(member) ?? residentBytes(member)),
            0,
          );
  }
  return bytes;
}

/** Resident set size in bytes; 0 when the process has ended. */
export function residentBytes(pid: number): number {
  return kilobytes(`/proc/${pid}/status`, 'VmRSS') ?? 0;
}

function proportionalBytes(pid: number): number | undefined {
  return kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss');
}

function kilobytes(file: string, field: string): number | undefined {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'));
    return match ? Number(match[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}
