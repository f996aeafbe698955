/** Bounds of the writer; times in milliseconds, sizes in bytes. */
export interface WriterLimits {
  /** Records and bytes that may wait per partition before `append` refuses. */
  queueRecords: number;
  queueBytes: number;
  /** Records and bytes of one partition in one batch. */
  batchRecords: number;
  batchBytes: number;
  /** Bytes of one request over all its partitions. */
  requestBytes: number;
  /** How long a leader may wait for its replicas. */
  ackTimeout: number;
  /** How long an answer may take. */
  requestTimeout: number;
  /** Waiting this long without an append is a stall. */
  stallAfter: number;
  /** How long a first record waits for others to share its request; 0: not at all. */
  linger: number;
  /** First and longest pause between failed attempts of a partition; full jitter. */
  backoffBase: number;
  backoffMax: number;
}

/** The values of {@link WriterLimits} unless given. */
export const DEFAULT_LIMITS: WriterLimits = {
  queueRecords: 20_000,
  queueBytes: 32 * 1024 * 1024,
  batchRecords: 500,
  batchBytes: 512 * 1024,
  requestBytes: 8 * 1024 * 1024,
  ackTimeout: 1_500,
  requestTimeout: 2_000,
  stallAfter: 2_000,
  linger: 0,
  backoffBase: 20,
  backoffMax: 1_000,
};

/** Plain callbacks for metrics; called per request, never per record. */
export interface WriterHooks {
  /** A request was answered: records appended, milliseconds, number of partitions. */
  onBatch?(batch: { records: number; bytes: number; partitions: number; latencyMs: number }): void;
  /** A partition's batch failed. `unknown`: its records may have been appended anyway. */
  onFailure?(failure: {
    partition: number;
    records: number;
    unknown: boolean;
    reason: string;
  }): void;
}
