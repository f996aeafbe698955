import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, rmdir, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pause } from '@tidings/common/runtime/waiting';

/** Another process has the spool. */
export class SpoolLockedError extends Error {
  constructor(dir: string, holder: string) {
    super(`The spool in ${dir} is in use by ${holder}; give this gateway another DATA_DIR`);
    this.name = 'SpoolLockedError';
  }
}

interface Holder {
  pid: number;
  host: string;
  /** When the process began, in the kernel's words; null where those are not to be had. */
  began: string | null;
}

/** The holder shows that it lives, for those who cannot see its process (another container). */
const BEAT_MS = 1_000;
const DEAD_AFTER_MS = 5_000;
const POLL_MS = 250;
const GUARD_POLL_MS = 20;

/** Keeps a second process out of a directory, also one in another container with the same volume. */
export class SpoolLock {
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    private readonly own: string,
  ) {
    this.timer = setInterval(() => void this.beat(), BEAT_MS).unref();
  }

  /** Takes the lock, over from a dead process if need be. Throws {@link SpoolLockedError}. */
  static async take(dir: string, deadAfterMs = DEAD_AFTER_MS): Promise<SpoolLock> {
    const path = join(dir, 'lock');
    const holder: Holder = { pid: process.pid, host: hostname(), began: beganAt(process.pid) };
    const own = JSON.stringify({ ...holder, id: randomUUID() });
    for (;;) {
      if (await put(path, own)) return new SpoolLock(path, own);
      const text = await contentOf(path);
      if (text === null) continue;
      if (await lives(path, text, deadAfterMs)) throw new SpoolLockedError(dir, nameOf(text));
      await removeStale(path, text);
    }
  }

  async release(): Promise<void> {
    clearInterval(this.timer);
    if ((await contentOf(this.path)) === this.own) await unlink(this.path).catch(() => undefined);
  }

  private async beat(): Promise<void> {
    const now = new Date();
    await utimes(this.path, now, now).catch(() => undefined);
  }
}

/** Whole or not at all: the file appears with its content. False: there is one already. */
async function put(path: string, content: string): Promise<boolean> {
  const fresh = `${path}.${randomUUID()}`;
  await writeFile(fresh, content);
  try {
    await link(fresh, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(fresh);
  }
}

async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function lives(path: string, text: string, deadAfterMs: number): Promise<boolean> {
  const holder = parse(text);
  if (!holder) return false;
  if (holder.host === hostname()) return runs(holder);
  return beats(path, text, deadAfterMs);
}

function runs({ pid, began }: Holder): boolean {
  if (pid === process.pid) return began !== null && began === beganAt(pid);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return began === null || began === beganAt(pid);
}

/** Whether the lock is touched while one watches; a dead process does not touch it. */
async function beats(path: string, text: string, withinMs: number): Promise<boolean> {
  const touched = async (): Promise<number | null> => {
    const found = await stat(path).catch(() => null);
    return found && (await contentOf(path)) === text ? found.mtimeMs : null;
  };
  const first = await touched();
  const until = performance.now() + withinMs;
  while (performance.now() < until) {
    await pause(POLL_MS);
    const now = await touched();
    if (now !== first) return now !== null;
  }
  return false;
}

/** Removes a dead process's lock, one process at a time: nobody removes what another has just put. */
async function removeStale(path: string, text: string): Promise<void> {
  const guard = `${path}.removing`;
  try {
    await mkdir(guard);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await pause(GUARD_POLL_MS);
    const since = (await stat(guard).catch(() => null))?.mtimeMs ?? Date.now();
    // its maker died in the few milliseconds that it takes
    if (Date.now() - since > DEAD_AFTER_MS) await rmdir(guard).catch(() => undefined);
    return;
  }
  try {
    if ((await contentOf(path)) === text) await unlink(path);
  } finally {
    await rmdir(guard);
  }
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold anything, also parentheses. */
function beganAt(pid: number): string | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function parse(text: string): Holder | null {
  try {
    const { pid, host, began } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid !== 'number' || typeof host !== 'string') return null;
    return { pid, host, began: began ?? null };
  } catch {
    return null;
  }
}

function nameOf(text: string): string {
  const holder = parse(text);
  return holder ? `process ${holder.pid} on ${holder.host}` : 'an unknown process';
}
