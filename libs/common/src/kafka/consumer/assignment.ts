/** The state of a partition in its current assignment. */
export type AssignmentState = 'loading' | 'running' | 'pausing' | 'stopped' | 'ended';

/**
 * One partition from one GROUP_JOIN to the next rebalance. Everything that belongs to it (position,
 * timers, failure count) ends with it, so nothing from an old assignment can affect a new one.
 */
export class Assignment {
  state: AssignmentState = 'loading';
  /** Offset that the next batch must start with. */
  expected = 0n;
  /** The group's offset when the assignment began: replays below it commit nothing. */
  committed: bigint | null = null;
  /** Time of the record that was started or applied last, in Unix milliseconds; null: none yet. */
  reachedAt: number | null = null;
  /**
   * When the member was last known to be at the end of the log, in Unix milliseconds; null: not
   * yet.
   */
  caughtUpAt: number | null = null;
  /** Consecutive failed attempts, for the backoff. */
  failures = 0;
  /** True once `assigned` has been called, so that `revoked` is due. */
  announced = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {}

  get ended(): boolean {
    return this.state === 'ended';
  }

  /** Runs `work` after `ms`, unless the assignment ends first. Replaces earlier work. */
  later(ms: number, work: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.ended) work();
    }, ms);
  }

  end(): void {
    this.state = 'ended';
    clearTimeout(this.timer);
  }
}

/** Key of a partition in maps. */
export function partitionKey(topic: string, partition: number): string {
  return `${partition}@${topic}`;
}
