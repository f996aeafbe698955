import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockHolder } from './lock';
import type { Stack } from './stack-types';

/** Addresses of the stack that `npm start` runs, for the other tools (`.data/stack.json`). */
export interface StackFile {
  /** process id of the runner */
  pid: number;
  /** ISO 8601 */
  startedAt: string;
  /** `host:port`, comma separated */
  brokers: string;
  redisUrl: string;
  databaseUrl: string;
  jwtSecret: string;
  clusterSecret: string;
  /** base addresses, `http://127.0.0.1:<port>` */
  gateways: string[];
  nodes: { id: string; service: string; url: string; pid: number; logPath: string }[];
  /** process ids of the stack's own servers */
  servers: { kafka?: number; redis?: number; postgres?: number };
}

function pathIn(dir: string): string {
  return join(dir, 'stack.json');
}

function pidOf(read: () => { pid: number }): number | undefined {
  try {
    return read().pid;
  } catch {
    return undefined;
  }
}

/** Writes the file, readable by its owner only: it holds passwords. */
export function writeStackFile(stack: Stack, startedAt: string): void {
  const content: StackFile = {
    pid: process.pid,
    startedAt,
    brokers: stack.brokers,
    redisUrl: stack.redisUrl,
    databaseUrl: stack.databaseUrl,
    jwtSecret: stack.jwtSecret,
    clusterSecret: stack.clusterSecret,
    gateways: stack.gatewayUrls,
    nodes: Object.values(stack.nodes).map(({ id, service, url, pid, logPath }) => ({
      id,
      service,
      url,
      pid,
      logPath,
    })),
    servers: {
      kafka: pidOf(() => stack.kafka),
      redis: pidOf(() => stack.redis),
      postgres: pidOf(() => stack.postgres),
    },
  };
  const making = `${pathIn(stack.dir)}.${process.pid}`;
  writeFileSync(making, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(making, pathIn(stack.dir));
}

/** The running stack of a data directory; undefined when none runs. */
export function readStackFile(dir: string): StackFile | undefined {
  try {
    if (lockHolder(dir) === undefined) return undefined;
    return JSON.parse(readFileSync(pathIn(dir), 'utf8')) as StackFile;
  } catch {
    return undefined;
  }
}

/** Removes the file. */
export function removeStackFile(dir: string): void {
  rmSync(pathIn(dir), { force: true });
}
