import type { Sql } from '../database/database';
import { type LogState, readApplied } from './log-state';

/** What a caller waits for: `next` of this partition must have been applied. */
export interface ProgressTarget {
  partition: number;
  /** Every offset below it is applied. */
  next: bigint;
}

interface Waiter {
  targets: readonly ProgressTarget[];
  since: number;
  deadline: number;
  settle: (reached: boolean) => void;
}

/** How often the database is asked while somebody waits for another instance, in milliseconds. */
const POLL_MS = 5;
/** After this wait the database is asked for own partitions, too: they may be somebody else's by now. */
const DOUBT_MS = 100;
/** How many callers may wait; more are told at once that their target is not reached. */
const WAITERS = 10_000;

/**
 * How far the log is applied to the database. Own commits are known at once; those of other
 * instances by one query for everybody who waits.
 */
export class Progress {
  private readonly applied: bigint[];
  private readonly own = new Set<number>();
  private waiters: Waiter[] = [];
  private timer: NodeJS.Timeout | undefined;
  private asking = false;
  private stopped = false;

  constructor(
    private readonly sql: Sql,
    private readonly log: LogState,
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.applied = log.bases.map(() => 0n);
  }

  /** This instance applies the partition: no need to ask for it. */
  assign(partition: number): void {
    this.own.add(partition);
  }

  revoke(partition: number): void {
    this.own.delete(partition);
  }

  /** Whether this instance applies the partition, so that waiting for it asks nobody. */
  applies(partition: number): boolean {
    return this.own.has(partition);
  }

  /** `next` of a partition was committed, or read from the database. */
  advance(partition: number, next: bigint): void {
    if (next <= this.applied[partition]!) return;
    this.applied[partition] = next;
    if (this.waiters.length > 0) this.settleReached();
  }

  /** The database is further back than known: a crash took its last commits; they come again. */
  reset(partition: number, next: bigint): void {
    this.applied[partition] = next;
  }

  /** Whether a target is known to be reached, without asking. */
  reached({ partition, next }: ProgressTarget): boolean {
    const applied = this.applied[partition];
    return applied !== undefined && applied >= next;
  }

  /** Waits until all targets are reached; false when they are not within `ms` milliseconds. */
  wait(targets: readonly ProgressTarget[], ms: number): Promise<boolean> {
    if (targets.every((target) => this.reached(target))) return Promise.resolve(true);
    if (ms <= 0 || this.stopped || this.waiters.length >= WAITERS) return Promise.resolve(false);
    return new Promise((settle) => {
      const since = this.clock();
      this.waiters.push({ targets, since, deadline: since + ms, settle });
      if (this.timer === undefined) this.tick();
    });
  }

  /** Callers that wait. */
  get waiting(): number {
    return this.waiters.length;
  }

  /** Lets everybody go who waits. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const waiter of this.waiters) waiter.settle(false);
    this.waiters = [];
  }

  private tick(): void {
    if (!this.asking && this.waiters.some((waiter) => this.mustAsk(waiter))) void this.ask();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.settleReached();
      if (this.waiters.length > 0) this.tick();
    }, POLL_MS);
  }

  private mustAsk({ targets, since }: Waiter): boolean {
    if (this.clock() - since > DOUBT_MS) return true;
    return targets.some((t) => !this.own.has(t.partition) && !this.reached(t));
  }

  private async ask(): Promise<void> {
    this.asking = true;
    try {
      const applied = await readApplied(this.sql, this.log.topic);
      applied.forEach((next, partition) => this.advance(partition, next));
    } catch {
      // The database is away: whoever waits is let go at the deadline.
    } finally {
      this.asking = false;
    }
  }

  private settleReached(): void {
    const now = this.clock();
    this.waiters = this.waiters.filter((waiter) => {
      const reached = waiter.targets.every((target) => this.reached(target));
      if (!reached && waiter.deadline > now) return true;
      waiter.settle(reached);
      return false;
    });
  }
}
