import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** No upload takes as long: a file older than this is left over, milliseconds. */
const LEFT_OVER_MS = 60 * 60_000;

/** Removes files that nobody works on any more. Other gateways may use the same folder. */
export async function clearScratch(dir: string, nowMs = Date.now()): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  for (const name of names) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => null);
    if (found?.isFile() && nowMs - found.mtimeMs > LEFT_OVER_MS) await rm(path, { force: true });
  }
}
