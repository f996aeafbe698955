import type { OutRecord } from '../../log-events/record';

/** The outcome of a record. */
export type AppendResult =
  | {
      ok: true;
      partition: number;
      /** Offset of this copy. */
      offset: bigint;
      /** Time of the record in the log, in Unix milliseconds. */
      timestamp: number;
      /** True: an earlier copy may exist, so storage has to be asked for the first position. */
      again: boolean;
    }
  | {
      ok: false;
      /**
       * `too_large`: the broker will never accept it. `unencodable`: a defect, it cannot be written
       * as a record. `stopped`: unknown outcome, the writer stopped.
       */
      reason: 'stopped' | 'too_large' | 'unencodable';
    };

export type AppendDone = (result: AppendResult) => void;

/** A record in progress. */
export interface Pending {
  record: OutRecord;
  done: AppendDone;
  /** It may have been appended before. */
  again: boolean;
  /** Estimated size in bytes. */
  bytes: number;
  /** The writer's clock when it was queued, milliseconds. */
  queuedAt: number;
}

/** Headers and framing of a record beside key, id and value, bytes. */
const RECORD_OVERHEAD = 200;

/** Estimated bytes of a record in a batch. */
export function recordBytes(record: OutRecord): number {
  const value =
    typeof record.value === 'string' ? Buffer.byteLength(record.value) : record.value.length;
  return value + record.key.length + RECORD_OVERHEAD;
}

/**
 * Records of one partition in order: first those with an unknown outcome, alone in their batch,
 * then the queue. At most one batch is in flight at a time.
 */
export class PartitionQueue {
  private items: Pending[] = [];
  private head = 0;
  /** How many of the first records have an unknown outcome. */
  private unknown = 0;
  /** The batch in flight has been sent before. */
  private outAgain = false;
  /** The most records of the next batch; lowered when the broker finds a batch too large. */
  private batchLimit: number;
  /** The batch in flight. Its identity tells a late answer from a current one. */
  out: Pending[] | null = null;
  /** Estimated bytes, waiting and in flight. */
  bytes = 0;
  /** Writer's clock at the last append; -Infinity before. */
  lastSuccessAt = -Infinity;
  /** In the second lane, since its last failure. */
  aside = false;
  /** Failed attempts since the last append, and the writer's clock at the last of them. */
  failures = 0;
  failedAt = -Infinity;
  /** The second lane leaves it alone until the writer's clock shows this. */
  retryAt = 0;
  stalled = false;

  constructor(
    readonly partition: number,
    private readonly limits: { batchRecords: number; batchBytes: number },
  ) {
    this.batchLimit = limits.batchRecords;
  }

  /** Waiting records, without those in flight. */
  get waiting(): number {
    return this.items.length - this.head;
  }

  /** Records waiting and in flight. */
  get size(): number {
    return this.waiting + (this.out?.length ?? 0);
  }

  /** Writer's clock when the oldest record was queued; null when there is none. */
  oldestAt(): number | null {
    return (this.out?.[0] ?? this.items[this.head])?.queuedAt ?? null;
  }

  push(pending: Pending): void {
    this.items.push(pending);
    this.bytes += pending.bytes;
  }

  /**
   * Takes out the next batch, with at least one record. Call only with waiting records and none in
   * flight.
   */
  takeBatch(): Pending[] {
    const most = Math.min(this.unknown || this.waiting, this.waiting, this.batchLimit);
    let end = this.head + 1;
    let bytes = this.items[this.head]!.bytes;
    while (end < this.head + most) {
      bytes += this.items[end]!.bytes;
      if (bytes > this.limits.batchBytes) break;
      end++;
    }
    const batch = this.items.slice(this.head, end);
    this.head = end;
    this.outAgain = this.unknown > 0;
    this.unknown = Math.max(0, this.unknown - batch.length);
    this.compact();
    this.out = batch;
    return batch;
  }

  /** The batch in flight was appended. */
  appended(now: number): void {
    for (const pending of this.out ?? []) this.bytes -= pending.bytes;
    this.out = null;
    this.batchLimit = this.limits.batchRecords;
    this.lastSuccessAt = now;
    this.failures = 0;
    this.aside = false;
  }

  /** The batch in flight goes back to the front; `unknown` marks its records. */
  putBack(unknown: boolean): void {
    const batch = this.out;
    if (!batch) return;
    this.out = null;
    if (unknown) for (const pending of batch) pending.again = true;
    this.items = batch.concat(this.items.slice(this.head));
    this.head = 0;
    if (unknown || this.outAgain) this.unknown += batch.length;
  }

  /**
   * The broker found the batch too large: smaller ones from now on. Returns a record that never
   * fits.
   */
  tooLarge(): Pending | null {
    const batch = this.out;
    if (!batch) return null;
    if (batch.length > 1) {
      this.putBack(false);
      this.batchLimit = Math.floor(batch.length / 2);
      return null;
    }
    this.out = null;
    this.batchLimit = this.limits.batchRecords;
    const [pending] = batch;
    this.bytes -= pending!.bytes;
    return pending!;
  }

  /**
   * Removes a record from the batch in flight, for good. If that was the last one, nothing is in
   * flight.
   */
  setAside(index: number): Pending {
    const [pending] = this.out!.splice(index, 1);
    this.bytes -= pending!.bytes;
    if (this.out!.length === 0) this.out = null;
    return pending!;
  }

  /** Empties the partition: the batch in flight (marked), then the queue, in order. */
  drain(): Pending[] {
    for (const pending of this.out ?? []) pending.again = true;
    const all = (this.out ?? []).concat(this.items.slice(this.head));
    this.out = null;
    this.items = [];
    this.head = 0;
    this.unknown = 0;
    this.bytes = 0;
    return all;
  }

  private compact(): void {
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head > 1_024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
  }
}
