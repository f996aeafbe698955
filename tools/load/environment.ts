import { cpus, release, totalmem } from 'node:os';

/** Where a figure comes from. */
export interface Environment {
  date: string;
  cores: number;
  cpu: string;
  memoryGiB: number;
  node: string;
  kernel: string;
}

/** This machine, now. */
export function environment(now: Date): Environment {
  return {
    date: now.toISOString(),
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    kernel: release(),
  };
}

/** The same in one line. */
export function environmentLine(env: Environment): string {
  return `${env.cores} cores (${env.cpu}), ${env.memoryGiB} GiB, Node ${env.node}, Linux ${env.kernel}, ${env.date}`;
}
