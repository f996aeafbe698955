import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { releaseLock, takeLock } from './lock';
import { StackError, dataDir, serversDir } from './paths';
import { removeSharedPlace } from './server-user';

/** `npm run reset`: removes the stack's data; the downloaded servers stay. */

/**
 * Removes everything in a data directory but the downloaded servers.
 * @throws StackError while a stack runs on it.
 */
export function reset(dir: string): void {
  if (!existsSync(dir)) return;
  const holder = takeLock(dir);
  if (holder)
    throw new StackError(`The stack runs (process ${holder.pid}): stop it first, then reset.`);
  try {
    removeSharedPlace(dir);
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      if (name === 'lock' || resolve(path) === serversDir()) continue;
      rmSync(path, { recursive: true, force: true });
    }
  } finally {
    releaseLock(dir);
  }
}

if (require.main === module) {
  try {
    reset(dataDir());
    process.stdout.write(`The data in ${dataDir()} is removed; the downloaded servers are kept.\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof StackError ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
