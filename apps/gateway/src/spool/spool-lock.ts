import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  link,
  mkdir,
  readFile,
  rename,
  rmdir,
  stat,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pause } from '@tidings/common/runtime/waiting';

/** Another process has the spool. */
export class SpoolLockedError extends Error {
  constructor(dir: string, holder: string) {
    super(
      `The spool in ${dir} is in use by ${holder}; give this gateway a DATA_DIR and a NODE_ID of its own`,
    );
    this.name = 'SpoolLockedError';
  }
}

/** Another process has taken the spool from this one, which it took for dead. */
export class SpoolTakenError extends Error {
  constructor(path: string) {
    super(`another process has taken the spool of ${path}`);
    this.name = 'SpoolTakenError';
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

const LOCK = 'lock';

/**
 * Keeps a second process out of a directory, also one in another container with the same volume. A process
 * that is hung may lose it: whoever writes something that others rely on asks {@link check} behind it.
 */
export class SpoolLock {
  private readonly timer: NodeJS.Timeout;
  private state: 'held' | 'released' | 'taken' = 'held';
  private readonly losses: (() => void)[] = [];

  private constructor(
    private readonly path: string,
    private readonly own: string,
  ) {
    this.timer = setInterval(() => void this.beat(), BEAT_MS).unref();
  }

  /** Takes the lock, over from a dead process if need be. Throws {@link SpoolLockedError}. */
  static async take(dir: string, deadAfterMs = DEAD_AFTER_MS): Promise<SpoolLock> {
    const path = join(dir, LOCK);
    const own = ownText();
    for (;;) {
      if (await put(path, own)) return new SpoolLock(path, own);
      const text = await contentOf(path);
      if (text === null) continue;
      if (await lives(path, text, deadAfterMs)) throw new SpoolLockedError(dir, nameOf(text));
      await removeStale(path, text);
    }
  }

  /** Puts a lock into a directory that is this process's already, in the place of whatever is there. */
  static async replace(dir: string): Promise<SpoolLock> {
    const path = join(dir, LOCK);
    const own = ownText();
    const fresh = `${path}.${randomUUID()}`;
    await writeFile(fresh, own);
    await rename(fresh, path);
    return new SpoolLock(path, own);
  }

  /** Throws {@link SpoolLockedError} when the lock of a directory is one of a process that lives. */
  static async refuseLiving(dir: string, deadAfterMs = DEAD_AFTER_MS): Promise<void> {
    const path = join(dir, LOCK);
    const text = await contentOf(path);
    if (text === null || !(await lives(path, text, deadAfterMs))) return;
    throw new SpoolLockedError(dir, nameOf(text));
  }

  /** When a directory's lock was touched last, in the file system's words; null: there is none. */
  static async touchedAt(dir: string): Promise<number | null> {
    return (await stat(join(dir, LOCK)).catch(() => null))?.mtimeMs ?? null;
  }

  /** Told once, when another process has taken the lock. */
  onTaken(told: () => void): void {
    if (this.state === 'taken') told();
    else this.losses.push(told);
  }

  /** Throws {@link SpoolTakenError} when it is another's now, and an Error when nobody can tell. */
  async check(): Promise<void> {
    if (this.state === 'held' && (await contentOf(this.path)) === this.own) return;
    // it may have been given back meanwhile
    if (this.state === 'held') {
      this.end('taken');
      for (const told of this.losses) told();
    }
    throw new SpoolTakenError(this.path);
  }

  async release(): Promise<void> {
    this.end('released');
    if ((await contentOf(this.path)) === this.own) await unlink(this.path).catch(() => undefined);
  }

  private end(state: 'released' | 'taken'): void {
    if (this.state === 'held') this.state = state;
    clearInterval(this.timer);
  }

  private async beat(): Promise<void> {
    try {
      await this.check();
      const now = new Date();
      await utimes(this.path, now, now);
    } catch {
      // told by `check`, or the next beat may do better
    }
  }
}

/** What a lock of this process says; no two say the same. */
function ownText(): string {
  const holder: Holder = { pid: process.pid, host: hostname(), began: beganAt(process.pid) };
  return JSON.stringify({ ...holder, id: randomUUID() });
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
