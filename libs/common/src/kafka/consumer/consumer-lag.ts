import { type Assignment, partitionKey } from './assignment';

/** How far a member is behind the log, in the partitions that are its own. */
export interface ConsumerLag {
  records: number;
  /** Age of the oldest record that is not applied, at most a second too high; null: not known yet. */
  seconds: number | null;
}

type Followed = Pick<
  Assignment,
  'topic' | 'partition' | 'state' | 'expected' | 'reachedAt' | 'caughtUpAt'
>;

/**
 * The lag of these partitions, given the log's ends (offset after the last record, by topic and
 * partition) as of `now` (Unix milliseconds). Notes which of them have caught up. An unapplied record
 * came behind the last one that was applied, and behind the last moment at which nothing was missing.
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

/** A member that is no further behind than this is as good as at the log's end, milliseconds. */
const NEAR_MS = 1_000;

/**
 * Knows whether a member has read all that was in the log when its process got a partition for the
 * first time, or was as good as at its end. Once it has, later rebalances take nothing back.
 */
export class CatchUp {
  /** The log's end when the process first had a partition. */
  private readonly ends = new Map<string, bigint>();
  private done = false;

  /** A partition begins; `end`: offset after the last record. */
  begins(topic: string, partition: number, end: bigint): void {
    const key = partitionKey(topic, partition);
    if (!this.ends.has(key)) this.ends.set(key, end);
  }

  /** Asked when the state of all partitions is loaded. `now`: Unix milliseconds. */
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
