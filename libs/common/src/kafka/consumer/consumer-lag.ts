import { type Assignment, partitionKey } from './assignment';

/** How far a member is behind the log, in its own partitions. */
export interface ConsumerLag {
  records: number;
  /** Age of the oldest unapplied record, at most a second too high; null: unknown yet. */
  seconds: number | null;
}

type Followed = Pick<
  Assignment,
  'topic' | 'partition' | 'state' | 'expected' | 'reachedAt' | 'caughtUpAt'
>;

/**
 * The lag of these partitions, given the ends of the log (offset after the last record, by topic
 * and partition) as of `now` (Unix milliseconds). Also notes which of them have caught up. An
 * unapplied record is younger than the last applied one, and than the last moment at which nothing
 * was missing.
 */
export function lagOf(
  assignments: readonly Followed[],
  ends: ReadonlyMap<string, readonly (bigint | null)[]>,
  now: number,
): ConsumerLag {
  let records = 0;
  let seconds: number | null = 0;
  for (const one of assignments) {
    const end = ends.get(one.topic)?.[one.partition] ?? null;
    if (end === null || one.state === 'loading' || one.state === 'ended') continue;
    const behind = end - one.expected;
    if (behind <= 0n) {
      one.caughtUpAt = now;
      continue;
    }
    records += Number(behind);
    const since = Math.max(one.reachedAt ?? -Infinity, one.caughtUpAt ?? -Infinity);
    const age = since === -Infinity ? null : Math.max(0, now - since) / 1000;
    seconds = seconds === null || age === null ? null : Math.max(seconds, age);
  }
  return { records, seconds };
}

/** A member no further behind than this counts as at the end of the log, in milliseconds. */
const NEAR_MS = 1_000;

/**
 * Knows whether a member has read everything that was in the log when its process first got a
 * partition, or has been as good as at its end. Once that is so, later rebalances do not undo it.
 */
export class CatchUp {
  /** The end of the log when the process first had a partition. */
  private readonly ends = new Map<string, bigint>();
  private done = false;

  /** A partition starts. `end`: offset after the last record. */
  begins(topic: string, partition: number, end: bigint): void {
    const key = partitionKey(topic, partition);
    if (!this.ends.has(key)) this.ends.set(key, end);
  }

  /** Asked once the state of all partitions is loaded. `now`: Unix milliseconds. */
  isDone(assignments: readonly Followed[], now: number): boolean {
    this.done ||= assignments.every((one) => this.isReached(one, now));
    return this.done;
  }

  private isReached({ topic, partition, state, expected, reachedAt }: Followed, now: number) {
    // an operator has to decide: no start could wait for that
    if (state === 'stopped') return true;
    const end = this.ends.get(partitionKey(topic, partition));
    if (end === undefined) return false;
    return expected >= end || (reachedAt !== null && now - reachedAt <= NEAR_MS);
  }
}
