import { monotonicMs } from './clock';
import type { Phase } from './generator/protocol';
import { cpuTimes, machineCpuTime, memory } from './processes';

/** Name of the generator in the accounts; of several: `generator-1` and so on. */
export const GENERATOR = 'generator';

/** What a run costs. */
export interface Costs {
  /** CPU µs per message sent in the run phase, by process; NaN (null in JSON): it ended meanwhile */
  cpuUsPerMessage: Record<string, number>;
  /** share of one core that the generator used in the run phase; of several: the busiest */
  generatorShare: number;
  /** cores that programs which have nothing to do with the run used meanwhile: above some tenths the figures are not worth much */
  foreignCores: number;
}

/** What generator `index` of `count` is called. */
export function generatorName(index: number, count: number): string {
  return count === 1 ? GENERATOR : `${GENERATOR}-${index + 1}`;
}

/** Whether an account is that of a generator. */
export function isGenerator(name: string): boolean {
  return name === GENERATOR || name.startsWith(`${GENERATOR}-`);
}

/** Counters of processes at one moment. */
export interface Usage {
  atMs: number;
  cpuUs: Record<string, number>;
  machineUs: number;
  memoryBytes: Record<string, number>;
}

/** Counters at the beginning of a phase. */
export interface Reading {
  phase: Phase;
  usage: Usage;
}

/** Reads the counters of processes, now. */
export function readUsage(processes: readonly { name: string; pid: number }[]): Usage {
  return {
    atMs: monotonicMs(),
    cpuUs: cpuTimes(processes),
    machineUs: machineCpuTime(),
    memoryBytes: memory(processes),
  };
}

/** What was used between two readings, per message (or whatever was counted). */
export function usage(before: Usage, after: Usage, messages: number): Costs {
  const cpuUsPerMessage: Record<string, number> = {};
  const wallUs = (after.atMs - before.atMs) * 1000;
  let foreignUs = after.machineUs - before.machineUs;
  for (const [name, cpuUs] of Object.entries(after.cpuUs)) {
    const usedUs = cpuUs - (before.cpuUs[name] ?? 0);
    foreignUs -= Math.max(0, usedUs);
    // a process that ended took its account with it
    cpuUsPerMessage[name] = usedUs < 0 ? Number.NaN : usedUs / Math.max(1, messages);
  }
  return {
    cpuUsPerMessage,
    generatorShare: Math.max(...Object.values(generatorShares(before, after))),
    foreignCores: Math.max(0, foreignUs) / wallUs,
  };
}

/** Share of one core that each generator used between two readings, by name. */
export function generatorShares(before: Usage, after: Usage): Record<string, number> {
  const wallUs = (after.atMs - before.atMs) * 1000;
  return Object.fromEntries(
    Object.keys(after.cpuUs)
      .filter(isGenerator)
      .map((name) => [name, ((after.cpuUs[name] ?? 0) - (before.cpuUs[name] ?? 0)) / wallUs]),
  );
}
