import type { LogRecord } from '../../log-events/record';

/** Consecutive records of one partition. `records` is never empty. */
export interface LogBatch {
  topic: string;
  partition: number;
  records: LogRecord[];
  /** Offset of the first record. */
  firstOffset: bigint;
  /** Offset after the last record: what is committed when the batch is done. */
  nextOffset: bigint;
  /** Offset after the last record of the log, when the batch was fetched. */
  highWatermark: bigint;
  /** Records in the log behind this batch, when it was fetched. */
  lag: bigint;
  /** True when the assignment has ended meanwhile: stop early, the outcome is ignored. */
  revoked(): boolean;
  /** Tells the group that this member lives; call it every few hundred milliseconds of long work. Never throws. */
  heartbeat(): Promise<void>;
}

/**
 * What became of a batch.
 * - `done`: applied; `commit` (default: after the last record) is the offset to go on from.
 * - `retryAfterMs`: fetch again from `from` (default: the first record) after a pause: a random half to all of it.
 * - `seek`: go on from this offset at once (e.g. the own store is further on).
 */
export type HandleOutcome =
  { done: true; commit?: bigint } | { retryAfterMs: number; from?: bigint } | { seek: bigint };

/** Bounds of a partition at its assignment. */
export interface AssignmentContext {
  /** The group's committed offset; null when there is none. */
  committed: bigint | null;
  /** First offset in the log. */
  low: bigint;
  /** Offset after the last record. */
  high: bigint;
}

/** Told when partitions come and go. Every rebalance ends all assignments and begins new ones. */
export interface PartitionLifecycle {
  /**
   * Loads the state of a partition before its first batch. `seek` is the offset to start from
   * (default: the committed one, else the log's start). When it throws it is called again later.
   */
  assigned?(
    topic: string,
    partition: number,
    context: AssignmentContext,
  ): Promise<{ seek?: bigint } | void>;
  /** The partition is no longer ours (perhaps to come back at once). Called once per `assigned`. */
  revoked?(topic: string, partition: number): void | Promise<void>;
}

/** Applies batches of one topic. Anything thrown is a retry with backoff. */
export interface LogHandler extends PartitionLifecycle {
  handle(batch: LogBatch): Promise<HandleOutcome>;
}
