import type { Latency } from './generator/latency';

/** How far the store had come, at which times: one row of offsets per sample. */
export interface ProgressSamples {
  /** monotonic milliseconds, rising */
  atMs: number[];
  /** per sample and partition: the next offset that the store will apply */
  next: number[][];
  /** position of offset 0 per partition */
  bases: number[];
}

/** A message to look up: where it is in the log and when it should have been sent. */
export interface LoggedMessage {
  partition: number;
  position: number;
  scheduledMs: number;
}

/** Index of the first sample that shows the offset as applied; -1 when none does. */
export function appliedAt(samples: ProgressSamples, partition: number, position: number): number {
  const offset = position - (samples.bases[partition] ?? 0);
  let low = 0;
  let high = samples.atMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((samples.next[middle]![partition] ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low < samples.atMs.length ? low : -1;
}

/**
 * Notes scheduled → applied for each message. The time is that of the first sample that shows it, so
 * never too short and at most one sampling interval too long. Gives how many no sample shows.
 */
export function recordStored(
  samples: ProgressSamples,
  messages: Iterable<LoggedMessage>,
  into: Latency,
): number {
  let missing = 0;
  for (const { partition, position, scheduledMs } of messages) {
    const at = appliedAt(samples, partition, position);
    if (at < 0) missing++;
    else into.record(samples.atMs[at]! - scheduledMs);
  }
  return missing;
}
