import type { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import type { Progress } from '../log/progress';

/** How long a leader's duty waits for the log, in milliseconds. */
const WITHIN_MS = 2_000;

/** Whether all that was in the log when it was asked is applied; false also when Kafka cannot tell. */
export async function caughtUp(
  watermarks: Pick<Watermarks, 'barrier'>,
  progress: Pick<Progress, 'wait'>,
): Promise<boolean> {
  const ends = await watermarks.barrier();
  const targets = ends.flatMap((next, partition) => (next === null ? [] : [{ partition, next }]));
  if (targets.length < ends.length) return false;
  return progress.wait(targets, WITHIN_MS);
}
