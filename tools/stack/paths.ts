import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** A sentence meant for the person at the terminal: what is wrong and what to do. Printed without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** @throws StackError when the start was called off. */
export function throwIfStopped(abort: AbortSignal | undefined): void {
  if (abort?.aborted) throw new StackError('The start was stopped.');
}

/**
 * The checkout this file belongs to, found by walking up, so that it is the same from `tools/` (tests) and from
 * `dist/tools/` (compiled).
 */
export function projectRoot(): string {
  let dir = __dirname;
  while (!existsSync(join(dir, 'tools', 'stack', 'pom.xml'))) {
    const parent = dirname(dir);
    if (parent === dir) throw new StackError('The project folder was not found above this file.');
    dir = parent;
  }
  return dir;
}

/** Where `npm start` keeps data, logs, secrets and addresses (`TIDINGS_DATA_DIR` moves it). */
export function dataDir(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.TIDINGS_DATA_DIR ?? join(projectRoot(), '.data'));
}

/** Where the downloaded servers live, shared by all stacks of this checkout (`TIDINGS_SERVERS_DIR` moves it). */
export function serversDir(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.TIDINGS_SERVERS_DIR ?? join(projectRoot(), '.data', 'servers'));
}
