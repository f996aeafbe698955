import type { LogRecord } from '../../log-events/record';

/** Consecutive records of one partition. `records` is never empty. */
export interface LogBatch {
  topic: string;
  partition: number;
  records: LogRecord[];
  /** Offset of the first record. */
  firstOffset: bigint;
  /** Offset after the last record, which is committed when the batch is done. */
  nextOffset: bigint;
  /** Offset after the last record of the log, as of the fetch. */
  highWatermark: bigint;
  /** Records in the log behind this batch, as of the fetch. */
  lag: bigint;
  /** True when the assignment has ended meanwhile: stop early, the outcome is ignored. */
  revoked(): boolean;
  /**
   * Sends a heartbeat to the group. Call it every few hundred milliseconds during long work. Never
   * throws.
   */
  heartbeat(): Promise<void>;
}

/**
 * The outcome of a batch.
 * - `done`: applied. `commit` (default: after the last record) is the offset to go on from.
 * - `retryAfterMs`: fetch again from `from` (default: the first record) after a pause of half to
 *   all of it, at random.
 * - `seek`: go on from this offset at once (e.g. because the handler's own store is further on).
 */
export type HandleOutcome =
  { done: true; commit?: bigint } | { retryAfterMs: number; from?: bigint } | { seek: bigint };

/** Bounds of a partition when it is assigned. */
export interface AssignmentContext {
  /** The group's committed offset; null when there is none. */
  committed: bigint | null;
  /** First offset in the log. */
  low: bigint;
  /** Offset after the last record. */
  high: bigint;
}

/** Told when partitions come and go. Every rebalance ends all assignments and starts new ones. */
export interface PartitionLifecycle {
  /**
   * Loads the state of a partition before its first batch. `seek` is the offset to start from
   * (default: the committed one, otherwise the start of the log). If it throws, it is called again
   * later.
   */
  assigned?(
    topic: string,
    partition: number,
    context: AssignmentContext,
  ): Promise<{ seek?: bigint } | void>;
  /** The partition is no longer ours, though it may return at once. Called once per `assigned`. */
  revoked?(topic: string, partition: number): void | Promise<void>;
}

/** Applies batches of one topic. Anything it throws leads to a retry with backoff. */
export interface LogHandler extends PartitionLifecycle {
  handle(batch: LogBatch): Promise<HandleOutcome>;
}
