import { WINDOW_RECORDS } from './recent-ids';

/**
 * Where an assignment starts to read, so that its window is refilled, and from where records are
 * pushed. Offsets.
 * - `committed` null: nothing was routed yet; everything in the log is pushed.
 * - `windowOffset`: first record of the last two minutes; null when unknown (then by count alone).
 */
export function windowStart(bounds: {
  committed: bigint | null;
  low: bigint;
  high: bigint;
  windowOffset: bigint | null;
}): { start: bigint; liveFrom: bigint } {
  const { low, high } = bounds;
  if (bounds.committed === null) return { start: low, liveFrom: low };
  const liveFrom = clamp(bounds.committed, low, high);
  const byCount = liveFrom - BigInt(WINDOW_RECORDS);
  const byTime = bounds.windowOffset ?? byCount;
  return { start: clamp(byTime > byCount ? byTime : byCount, low, liveFrom), liveFrom };
}

function clamp(offset: bigint, low: bigint, high: bigint): bigint {
  if (offset < low) return low;
  return offset > high ? high : offset;
}
