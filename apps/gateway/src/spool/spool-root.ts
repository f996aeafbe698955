import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { segmentsAmong, syncDirectory } from './spool-files';
import { SpoolLock } from './spool-lock';
import { spoolIn } from './spool-place';
import type { LockedDir } from './spool-store';

/** A spool under the root. */
export interface FoundSpool {
  /** The node in whose folder it is. */
  nodeId: string;
  dir: string;
  /** When its lock was touched last, in the file system's words; null: it has none. */
  touchedAt: number | null;
}

/** `own-…`: the node writes to it; `of-…`: it has taken it from another, and drains it. */
const NAME = /^(?:own|of)-[0-9a-f-]{36}$/;
const NODE = /^[A-Za-z0-9-]{1,48}$/;
const PARTITION = /^\d+$/;

/**
 * The spools of all gateways, on a volume that they share:
 *
 *     gateway-1/own-8f1c…/      lock, and a folder per partition
 *     gateway-2/own-03da…/
 *     gateway-2/of-77b0…/       was gateway-3's, which is gone
 *
 * Each process gives the folder that it uses a name of its own, also one that it takes over: a rename, which
 * only one of many can make. So a path that is still there is still its user's, and a process that was
 * hung while its spool was taken finds nothing at its path, whatever it does there. What it has open
 * it may go on writing to; for that there is {@link SpoolLock.check}.
 */
export class SpoolRoot {
  private readonly home: string;
  /** Where this node's spool was before it had a root. */
  private readonly former: string;

  constructor(
    private readonly root: string,
    private readonly nodeId: string,
    dataDir: string,
    /** Time without a touch after which the lock of a node's earlier process is a dead one's, milliseconds. */
    private readonly deadAfterMs?: number,
  ) {
    this.home = join(root, nodeId);
    this.former = spoolIn(dataDir);
  }

  /**
   * The spool that this node writes to: what an earlier process of it left, else a new one. Throws
   * SpoolLockedError when another process of this node lives.
   */
  async own(): Promise<LockedDir> {
    for (;;) {
      await mkdir(this.home, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
        throw new Error(`SPOOL_ROOT: ${this.home} cannot be made: ${String(error)}`);
      });
      const left = (await namesIn(this.home)).find((name) => name.startsWith('own-'));
      if (left !== undefined) await SpoolLock.refuseLiving(join(this.home, left), this.deadAfterMs);
      const dir = this.newPath('own');
      // whoever else wants it, or tidies up, was faster: look again
      const made = left === undefined ? await make(dir) : await moved(join(this.home, left), dir);
      const place = made ? await locked(dir) : null;
      if (!place) continue;
      await syncDirectory(this.home);
      await syncDirectory(this.root);
      return place;
    }
  }

  /** All spools, also the one that this node had before it had a root, until that is empty. */
  async list(): Promise<FoundSpool[]> {
    const found: FoundSpool[] = [];
    if (await hasSegments(this.former)) found.push(await foundAt(this.nodeId, this.former));
    for (const nodeId of await namesIn(this.root)) {
      if (!NODE.test(nodeId)) continue;
      for (const name of await namesIn(join(this.root, nodeId))) {
        if (!NAME.test(name)) continue;
        found.push(await foundAt(nodeId, join(this.root, nodeId, name)));
      }
    }
    return found;
  }

  /** Takes another's spool, whose process is gone for all that one can see; null: somebody was faster. */
  async adopt({ dir }: FoundSpool): Promise<LockedDir | null> {
    if (dir === this.former) return { dir, lock: await SpoolLock.take(dir, this.deadAfterMs) };
    const own = this.newPath('of');
    await mkdir(this.home, { recursive: true, mode: 0o700 });
    if (!(await moved(dir, own))) return null;
    // its node may have others, or be back
    await rmdir(dirname(dir)).catch(() => undefined);
    return locked(own);
  }

  /** Removes a spool that is this process's and empty. */
  async remove(dir: string): Promise<void> {
    if (dir !== this.former) await rm(dir, { recursive: true, force: true });
  }

  private newPath(kind: 'own' | 'of'): string {
    return join(this.home, `${kind}-${randomUUID()}`);
  }
}

/** Whether a spool has files with messages, of which some may be done with. */
export async function hasSegments(dir: string): Promise<boolean> {
  for (const name of await namesIn(dir)) {
    if (!PARTITION.test(name)) continue;
    if (segmentsAmong(await namesIn(join(dir, name))).length > 0) return true;
  }
  return false;
}

/** Locks a directory that has a name of this process; null: somebody has taken it since, as one without a lock. */
async function locked(dir: string): Promise<LockedDir | null> {
  try {
    return { dir, lock: await SpoolLock.replace(dir) };
  } catch (error) {
    if (isOneOf(error, ['ENOENT'])) return null;
    throw error;
  }
}

async function foundAt(nodeId: string, dir: string): Promise<FoundSpool> {
  return { nodeId, dir, touchedAt: await SpoolLock.touchedAt(dir) };
}

/** Names in a directory, in their order; none when it is not there, or is no directory. */
async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (error) {
    if (isOneOf(error, ['ENOENT', 'ENOTDIR'])) return [];
    throw error;
  }
}

/** False: there is no room for it any more, since the directory above was removed. */
async function make(dir: string): Promise<boolean> {
  try {
    await mkdir(dir, { mode: 0o700 });
    return true;
  } catch (error) {
    if (isOneOf(error, ['ENOENT'])) return false;
    throw error;
  }
}

/** False: it is not there any more. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isOneOf(error, ['ENOENT'])) return false;
    throw error;
  }
}

function isOneOf(error: unknown, codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
