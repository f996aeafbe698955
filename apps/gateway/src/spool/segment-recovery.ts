import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Segment } from './segment-writer';
import { segmentName } from './spool-files';
import { scanEntries, type FoundEntry } from './spool-format';
import { expiryOf } from './spooled-message';

/** From this offset on, so many bytes of a file cannot be read. */
export interface Damage {
  path: string;
  at: number;
  bytes: number;
}

/** Reads a file that an earlier run left; what is behind its last good entry is cut off. */
export async function recoverSegment(
  dir: string,
  first: number,
  onDamage: (damage: Damage) => void,
): Promise<{ segment: Segment; entries: FoundEntry[] }> {
  const path = join(dir, segmentName(first));
  const data = await readFile(path);
  const entries = scanEntries(data);
  const bytes = entries.at(-1)?.end ?? 0;
  if (bytes < data.length) {
    onDamage({ path, at: bytes, bytes: data.length - bytes });
    await truncate(path, bytes);
  }
  const expiresAt = entries.reduce(
    (soonest, { record }) => Math.min(soonest, expiryOf(record)),
    Infinity,
  );
  return { segment: { path, first, count: entries.length, bytes, expiresAt }, entries };
}
