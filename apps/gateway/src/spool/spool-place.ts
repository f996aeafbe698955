import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SpoolLock } from './spool-lock';
import type { LockedDir } from './spool-store';

/** Takes the spool in a node's own data directory, `spool` below it. Throws {@link SpoolLockedError}. */
export async function lockDataDir(dataDir: string): Promise<LockedDir> {
  const dir = spoolIn(dataDir);
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new Error(`DATA_DIR: ${dir} cannot be made: ${String(error)}`);
  });
  return { dir, lock: await SpoolLock.take(dir) };
}

/** Where a data directory has its spool. */
export function spoolIn(dataDir: string): string {
  return join(dataDir, 'spool');
}
