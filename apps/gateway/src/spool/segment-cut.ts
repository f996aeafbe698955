import type { OutRecord } from '@tidings/common/log-events/record';
import type { Segment } from './segment-writer';
import { readPart, replaceFile } from './spool-files';
import { encodeEntry, scanEntries } from './spool-format';
import { expiryOf, placeOnly } from './spooled-message';

/** A spool file without what has expired. */
export interface CutSegment {
  data: Buffer;
  /** Offset of the entry with the index that was asked for. */
  offset: number;
  /** Records that were cut out, in order. */
  cut: OutRecord[];
  /** When the next of its records expires, Unix milliseconds; Infinity: none does. */
  expiresAt: number;
}

/** Cuts what has expired out of a file that nothing is appended to any more. */
export async function cutSegment(
  segment: Segment,
  from: number,
  now: number,
): Promise<Pick<CutSegment, 'offset' | 'cut'>> {
  const before = await readPart(segment.path, 0, segment.bytes);
  const { data, expiresAt, ...found } = cutExpired(before, from, now);
  await replaceFile(segment.path, data);
  segment.bytes = data.length;
  segment.expiresAt = expiresAt;
  return found;
}

/**
 * Leaves of each entry that has expired at `now` (Unix milliseconds) its place only, so that all keep
 * their sequence numbers, and their senders' order. `from`: index of the first entry that is not done with.
 */
function cutExpired(data: Buffer, from: number, now: number): CutSegment {
  const parts: Buffer[] = [];
  const result: CutSegment = { data, offset: 0, cut: [], expiresAt: Infinity };
  let start = 0;
  let written = 0;
  for (const [index, { record, end }] of scanEntries(data).entries()) {
    if (index === from) result.offset = written;
    const expiresAt = expiryOf(record);
    const place = expiresAt <= now ? placeOnly(record) : null;
    const expired = place !== null;
    const part = expired ? encodeEntry(place) : data.subarray(start, end);
    if (expired && index >= from) result.cut.push(record);
    // also of one that is done with: it is in the file until all of the file is
    if (!expired) result.expiresAt = Math.min(result.expiresAt, expiresAt);
    parts.push(part);
    written += part.length;
    start = end;
  }
  result.data = Buffer.concat(parts);
  return result;
}
