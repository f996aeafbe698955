import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SOCKET_PATH } from '@tidings/protocol/http';
import { TIMINGS } from '@tidings/protocol/limits';
import { Client } from 'pg';
import type { NodeHandle, Stack } from '../../tools/stack/stack';

import { eventually } from '../support/eventually';
import { isRunning, processTree, signalTree } from '../support/process-tree';
import type { DirectionFaults, Said } from '../support/tcp-proxy';
import { downFor, type Chatters, type Fault } from './fault';

/** What is done to parts of a stack. None of it needs more rights than whoever started the stack has. */

type Strike = Fault<Chatters>['strike'];

const HANGS_MS = 10_000;
const LOOP_MS = 20_000;
const FULL_MS = 15_000;
const DIES_WITHIN_MS = 60_000;
const DIES_UNDER_LOAD_MS = 4_000;
const HEAPS_MIB = [64, 56, 48, 40, 32, 24, 16];
const LOOK_MS = 50;
/** Chunks that a bad network loses at least. */
const LOST = 50;
const STALL_MS = 1_500;
/** Two heartbeats, and some time on a busy machine. */
const FOUND_MS = 2 * TIMINGS.heartbeatSeconds * 1_000 + 10_000;
/**
 * A call may be under way: a picture is waited for, for 45 s, and then its connection is kept for a next call, for
 * 30 s; some time on a busy machine.
 */
const CALLS_MS = 90_000;
/** How much a file may grow yet on a disk that is nearly full, bytes. */
const LEFT_BYTES = 4_096;
/** How much memory a process may take yet, bytes. */
const LEFT_MEMORY = 4 * 2 ** 20;
/** Sends that have to be on their way while nothing may be acknowledged. */
const UNDER_WAY = 150;
const NO_LIMIT = 'unlimited';

/**
 * Sets the soft limit of a process, as its own user; the hard one stays, so that it can be put back.
 */
function limit(pid: number, what: 'nofile' | 'fsize' | 'as', soft: string | number): void {
  const { uid, gid } = statSync(`/proc/${pid}`);
  execFileSync('prlimit', ['--pid', String(pid), `--${what}=${soft}:`], { uid, gid, cwd: '/' });
}

export const killed =
  (id: string): Strike =>
  async (stack) => {
    await stack.node(id).kill('SIGKILL');
    await downFor(1_000);
    await stack.node(id).restart();
  };

export const hung =
  (server: 'kafka' | 'postgres' | 'redis', forMs = HANGS_MS): Strike =>
  async (stack) => {
    signalTree(stack[server].pid, 'SIGSTOP');
    try {
      await downFor(forMs);
    } finally {
      signalTree(stack[server].pid, 'SIGCONT');
    }
  };

/** Killed again as soon as it is ready, again and again. */
export const crashLoop =
  (id: string): Strike =>
  async (stack) => {
    const end = performance.now() + LOOP_MS;
    while (performance.now() < end) {
      await stack.node(id).kill('SIGKILL');
      await stack.node(id).restart();
    }
  };

/** No file and no socket can be opened any more: many knock meanwhile. */
export const noHandles =
  (id: string): Strike =>
  async (stack) => {
    const { pid, url } = stack.node(id);
    const [, usual] = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))!;
    limit(pid, 'nofile', readdirSync(`/proc/${pid}/fd`).length);
    try {
      const signal = AbortSignal.timeout(HANGS_MS);
      const headers = { connection: 'close' };
      const knock = () => fetch(`${url}/v1`, { headers, signal }).catch(() => undefined);
      await Promise.all([downFor(HANGS_MS), ...Array.from({ length: 50 }, knock)]);
    } finally {
      limit(pid, 'nofile', usual!);
    }
  };

/**
 * No memory is left again and again for a while: what a process asks for beyond a little is refused, which
 * ends it. It is started again without a limit, as a supervisor does.
 */
export const noMemory =
  (id: string): Strike =>
  async (stack) => {
    const node = stack.node(id);
    const end = performance.now() + LOOP_MS;
    while (performance.now() < end) {
      limit(node.pid, 'as', virtualBytes(node.pid) + LEFT_MEMORY);
      await ended(node);
      await node.restart();
    }
  };

/**
 * A heap that gets smaller until the process dies of it, at its start at the latest; then it gets its usual
 * one again.
 */
export const smallHeap =
  (id: string): Strike =>
  async (stack) => {
    const node = stack.node(id);
    for (const mib of HEAPS_MIB) {
      await node.restart({ NODE_OPTIONS: `--max-old-space-size=${mib}` }).catch(() => undefined);
      await ended(node, DIES_UNDER_LOAD_MS).catch(() => undefined);
      if (!node.isAlive()) break;
    }
    await node.restart({ NODE_OPTIONS: '' });
  };

/** Its log says why it ended. */
export const diedOfMemory = (id: string) => async (stack: Stack) => {
  const log = readFileSync(stack.node(id).logPath, 'utf8');
  expect(log).toMatch(/out of memory|heap limit|bad_alloc|ENOMEM|OOM/i);
};

/**
 * The broker's files cannot grow any more, in the middle of a batch perhaps: it ends, and ends again
 * whenever it is started. Nothing new is acknowledged until there is space.
 */
export const brokerDiskFull: Strike = async ({ kafka, dir }, chatting) => {
  const before = new Set(chatting.begun());
  limit(kafka.pid, 'fsize', largestFile(join(dir, 'kafka', 'log')) + LEFT_BYTES);
  await ended(kafka);
  const acknowledged = new Set(chatting.acknowledged());
  const restarts = await endsAgain(kafka);
  await eventually(() => expect(underWay(chatting, before).length).toBeGreaterThan(UNDER_WAY));
  expect(chatting.acknowledged().filter((cid) => !acknowledged.has(cid))).toEqual([]);
  expect(restarts).toBeGreaterThan(0);
  await kafka.restart();
};

function underWay({ begun, acknowledged }: Chatters, before: ReadonlySet<string>): string[] {
  const done = new Set(acknowledged());
  return begun().filter((cid) => !before.has(cid) && !done.has(cid));
}

/** Started for as long as the disk is full; how often that ended it. */
async function endsAgain(kafka: Stack['kafka']): Promise<number> {
  const end = performance.now() + FULL_MS;
  let count = 0;
  while (performance.now() < end) {
    const last = kafka.pid;
    const started = kafka.restart().then(
      () => true,
      () => false,
    );
    await eventually(() => expect(kafka.pid).not.toBe(last), DIES_WITHIN_MS, LOOK_MS);
    limit(kafka.pid, 'fsize', 0);
    expect(await started).toBe(false);
    count += 1;
  }
  return count;
}

/**
 * No table of PostgreSQL can grow any more, nor, soon after, its journal: statements fail, then the server,
 * which recovers only when there is space.
 */
export const databaseDiskFull: Strike = async ({ postgres, databaseUrl }) => {
  const bytes = await asSuperuser(databaseUrl, async (sql) => {
    // the journal goes on at the begin of a file: the tables are full before
    await sql.query('SELECT pg_switch_wal()');
    const { rows } = await sql.query<{ bytes: string }>(
      `SELECT max(pg_relation_size(oid)) AS bytes FROM pg_class WHERE relname ~ '^messages_\\d+$'`,
    );
    return Number(rows[0]!.bytes);
  });
  limitTree(postgres.pid, bytes);
  try {
    await downFor(HANGS_MS);
  } finally {
    limitTree(postgres.pid, NO_LIMIT);
  }
  expect(readFileSync(postgres.logPath, 'utf8')).toMatch(/: File too large/);
  await postgres.restart();
};

/** The parent first: what it starts from then on has the same limit. */
function limitTree(root: number, soft: string | number): void {
  for (const pid of processTree(root)) {
    try {
      limit(pid, 'fsize', soft);
    } catch (error) {
      if (isRunning(pid)) throw error;
    }
  }
}

/** Every transaction that writes is refused. */
export const readOnly: Strike = async ({ databaseUrl }) => {
  const set = (statement: string) =>
    asSuperuser(databaseUrl, async (sql) => {
      await sql.query(statement);
      await sql.query('SELECT pg_reload_conf()');
    });
  await set('ALTER SYSTEM SET default_transaction_read_only = on');
  try {
    await downFor(HANGS_MS);
  } finally {
    await set('ALTER SYSTEM RESET default_transaction_read_only');
  }
};

async function asSuperuser<R>(databaseUrl: string, work: (sql: Client) => Promise<R>): Promise<R> {
  const options = '-c default_transaction_read_only=off';
  const sql = new Client({ connectionString: databaseUrl, options });
  await sql.connect();
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

async function ended(part: Pick<NodeHandle, 'isAlive'>, withinMs = DIES_WITHIN_MS): Promise<void> {
  await eventually(() => expect(part.isAlive()).toBe(false), withinMs, LOOK_MS);
}

function largestFile(dir: string): number {
  const logs = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.log'),
  );
  return Math.max(...logs.map((name) => statSync(join(dir, name)).size));
}

function virtualBytes(pid: number): number {
  const [pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return Number(pages) * PAGE_BYTES;
}

const PAGE_BYTES = 4_096;

/** Everything that goes over the network comes late, in pieces and in fits and starts. */
export const badNetwork =
  (faults: Partial<DirectionFaults>, forMs: number): Strike =>
  async (_stack, { network }) => {
    const before = network!.lost;
    network!.becomes(faults);
    await downFor(forMs);
    network!.heal();
    if (faults.loss !== undefined) expect(network!.lost - before).toBeGreaterThan(LOST);
  };

/** Nothing goes through for a moment, again and again, and everything that waited comes at once. */
export const stalls =
  (forMs: number): Strike =>
  async (_stack, { network }) => {
    const end = performance.now() + forMs;
    while (performance.now() < end) {
      network!.becomes({ blackhole: true });
      await downFor(STALL_MS);
      network!.heal();
      await downFor(STALL_MS);
    }
  };

/**
 * Everybody at one gateway loses their network without a word; the server has to find out by itself: of a socket
 * because it says nothing, of a call's connection because there is no next call.
 */
export const vanish: Strike = async (_stack, { network }) => {
  const [proxy] = network!.toGateways;
  expect(proxy!.vanishAll()).toBeGreaterThan(0);
  const began = performance.now();
  const isSocket = ({ first }: Said) => first.startsWith(`GET ${SOCKET_PATH}`);
  await eventually(() => expect(proxy!.stillOpen.filter(isSocket)).toEqual([]), FOUND_MS, LOOK_MS);
  const left = CALLS_MS - (performance.now() - began);
  await eventually(() => expect(proxy!.stillOpen).toEqual([]), left, LOOK_MS);
};
