import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError, projectRoot } from '../stack/paths';
import { freePorts } from '../stack/ports';
import { removeSharedPlace } from '../stack/server-user';
import { readStackFile } from '../stack/stack-file';
import type { FigureRun } from './figure-file';

/** A start may take so long, in milliseconds. */
const START_LIMIT_MS = 180_000;
/** Steps may come behind "all runs" (a session that has caught up): so long, in milliseconds. */
const SETTLE_MS = 3_000;
/** A port for the gateways and those beside it: they are taken upward. */
const PORTS_EACH = 10;

/**
 * Starts Tidings as `npm start` does once all is downloaded and built: in a place of its own, which is new for the
 * first start, then `later` times with the data of the time before.
 */
export async function measureStarts(
  later: number,
  log: (line: string) => void,
  abort: AbortSignal,
): Promise<FigureRun[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-starts-'));
  const runs: FigureRun[] = [];
  try {
    for (let start = 0; start <= later; start++) {
      const run = await measureStart(dir, start === 0 ? 'first' : 'later', abort);
      log(`${run.variant} start: ${run.counts['ms until it runs']} ms`);
      runs.push(run);
    }
    return runs;
  } finally {
    removeSharedPlace(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measureStart(dir: string, variant: string, abort: AbortSignal): Promise<FigureRun> {
  abort.throwIfAborted();
  const [port] = await freePorts(1);
  const env = {
    ...process.env,
    TIDINGS_DATA_DIR: dir,
    GATEWAY_PORT: String(port),
    ADMIN_PORT_BASE: String(port! + PORTS_EACH),
  };
  const began = performance.now();
  const program = join(projectRoot(), 'dist', 'tools', 'stack', 'start.js');
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = (): void => void child.kill('SIGTERM');
  abort.addEventListener('abort', stop);
  try {
    const output = await untilItRuns(child);
    const ms = Math.round(performance.now() - began);
    await delay(SETTLE_MS);
    const pages = (readStackFile(dir)?.nodes ?? []).map(async ({ id, url }) => {
      const page = await (await fetch(`${url}/metrics`)).text();
      return [id, stepsIn(page)] as const;
    });
    const services = Object.fromEntries(await Promise.all(pages));
    return {
      variant,
      outcome: 'PASSED',
      reasons: [],
      latencyMs: {},
      counts: { 'ms until it runs': ms },
      cpuUs: {},
      memoryMiB: {},
      bytesPerConnection: {},
      stepsMs: { ...serversIn(output), ...services },
    };
  } finally {
    abort.removeEventListener('abort', stop);
    stop();
    await ended;
  }
}

/** Waits until the program says that all runs; gives what it has said. @throws StackError when it ends or takes too long. */
function untilItRuns(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const settle = (error?: StackError): void => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(output);
    };
    const failed = (how: string): void =>
      settle(new StackError(`\`npm start\` ${how}:\n${output.trimEnd()}`));
    const timer = setTimeout(() => failed('takes too long'), START_LIMIT_MS);
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      if (/^Tidings runs \(/m.test(output)) settle();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('exit', () => failed('has ended'));
  });
}

/** Milliseconds from the beginning of a process to the end of each step of its start, from its metrics page. */
export function stepsIn(page: string): Record<string, number> {
  const lines = page.matchAll(/^tidings_start_step_seconds\{(.*)\} (\S+)$/gm);
  const steps = [...lines].map(([, labels, seconds]) => {
    const step = /step="([^"]*)"/.exec(labels!)?.[1] ?? '';
    return [step, Math.round(Number(seconds) * 1000)] as const;
  });
  return Object.fromEntries(steps);
}

/** Milliseconds until each server was up, and what was made before the services, from what a start says. */
export function serversIn(output: string): Record<string, Record<string, number>> {
  const ups = output.matchAll(/^ *(\S+) is up \((\S+) s\)/gm);
  const servers = [...ups].map(
    ([, name, s]) => [name!, { up: Math.round(Number(s) * 1000) }] as const,
  );
  const made = /Tables and topics are in place \((\S+) s\)/.exec(output)?.[1];
  return {
    ...Object.fromEntries(servers),
    ...(made === undefined
      ? {}
      : { prepare: { 'tables and topics': Math.round(Number(made) * 1000) } }),
  };
}
