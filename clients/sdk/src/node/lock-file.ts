import { randomUUID } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';

/** Removing a dead holder's file takes far less than this, in milliseconds. */
const REMOVAL_MS = 5_000;
const POLL_MS = 5;

/** What the holder of a lock file wrote into it; undefined: there is no holder. */
export function lockFileText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Takes a lock file for this process. There is one holder, however many processes try at the same
 * moment, even when all of them find the file of a dead holder.
 *
 * @param own what is written into it, for `lives` of later callers
 * @param lives whether the holder who wrote a text is still alive
 * @returns undefined when the lock is ours now; otherwise what its live holder wrote
 */
export function takeLockFile(
  path: string,
  own: string,
  lives: (text: string) => boolean,
): string | undefined {
  for (;;) {
    if (putWhole(path, own)) return undefined;
    const text = lockFileText(path);
    if (text === undefined) continue;
    if (lives(text)) return text;
    removeDead(path, text);
  }
}

/** The file appears with its content, or not at all. False: there is one already. */
function putWhole(path: string, content: string): boolean {
  const fresh = `${path}.${randomUUID()}`;
  writeFileSync(fresh, content, { flag: 'wx', mode: 0o600 });
  try {
    linkSync(fresh, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(fresh);
  }
}

/**
 * Removes a dead holder's file, one process at a time: nobody removes what another has just put
 * there.
 */
function removeDead(path: string, text: string): void {
  const guard = `${path}.removing`;
  try {
    mkdirSync(guard);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    waitForRemoval(guard);
    return;
  }
  try {
    if (lockFileText(path) === text) rmSync(path, { force: true });
  } finally {
    rmdirSync(guard);
  }
}

function waitForRemoval(guard: string): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  try {
    // Its creator died before the removal was done.
    if (Date.now() - statSync(guard).mtimeMs > REMOVAL_MS) rmdirSync(guard);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
