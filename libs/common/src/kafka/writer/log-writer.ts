import type { KafkaClient } from '../wire/client';
import { AsideLane, MainLane } from './append-lanes';
import type { SenderHooks } from './batch-sender';
import { partitionOf } from './partitioner';
import { PartitionQueue, recordBytes } from './partition-queue';
import type { AppendDone, AppendResult, Pending } from './partition-queue';
import type { OutRecord } from '../../log-events/record';
import { DEFAULT_LIMITS, type WriterHooks, type WriterLimits } from './writer-limits';

export type { AppendDone, AppendResult, Pending } from './partition-queue';
export type { WriterHooks, WriterLimits } from './writer-limits';

export interface LogWriterOptions extends WriterHooks {
  kafka: KafkaClient;
  topic: string;
  /** Must equal the topic's partition count. */
  partitions: number;
  /** `ce_source`: this node. */
  source: string;
  /** Log epoch, written into every record. */
  epoch: number;
  limits?: Partial<WriterLimits>;
  /** Monotonic milliseconds. */
  clock?: () => number;
  random?: () => number;
  /**
   * Records of this partition have waited for `stallAfter` without an append. Called once per
   * stall.
   */
  onStalled?(partition: number): void;
  /** The first append after a stall. */
  onResumed?(partition: number): void;
  /** Something unexpected: a callback that threw, a record that cannot be encoded. */
  onError?(error: unknown): void;
}

/** The state of a partition's queue. */
export interface PartitionState {
  /** Records waiting or in flight. */
  queued: number;
  queuedBytes: number;
  /** How long the oldest of them has waited, in milliseconds; 0 when there is none. */
  oldestWaitingMs: number;
  /** The writer's clock at the last append; null before the first. */
  lastSuccessAt: number | null;
  stalled: boolean;
}

const STALL_CHECK_MS = 100;
const START_TIMEOUT_MS = 30_000;

/**
 * Appends records to one topic so that every answer is true: a record counts as appended only when
 * the leader's answer has the base offset of its partition. Anything else is an unknown outcome:
 * those records are appended again in order, marked `again`, before any newer records of their
 * partition. That happens alone and over a second connection, so that nothing else is held up.
 *
 * Requests: acks from all in-sync replicas, no idempotent producer, one in flight per node and
 * lane; what queues meanwhile is the next batch. Callbacks run in partition order.
 */
export class LogWriter {
  private readonly queues: PartitionQueue[];
  private readonly limits: WriterLimits;
  private readonly main: MainLane;
  private readonly aside: AsideLane;
  private readonly clock: () => number;
  private stallTimer: NodeJS.Timeout | undefined;
  private lingering: NodeJS.Timeout | undefined;
  private stopped = false;
  private idle: (() => void) | null = null;

  constructor(private readonly options: LogWriterOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.limits = limits;
    this.clock = options.clock ?? (() => performance.now());
    this.queues = Array.from(
      { length: options.partitions },
      (_, partition) => new PartitionQueue(partition, limits),
    );
    const lane = { ...options, limits, queues: this.queues, clock: this.clock, leaders: [] };
    this.main = new MainLane(lane, this.senderHooks());
    this.aside = new AsideLane(lane, this.senderHooks());
  }

  /** Connects and checks the partition count. Rejects when no broker answers within 30 s. */
  async start(): Promise<void> {
    await this.main.start(this.clock() + START_TIMEOUT_MS);
    this.stallTimer = setInterval(() => this.checkStalls(), STALL_CHECK_MS);
    this.stallTimer.unref();
  }

  /**
   * Queues a record; `done` is called once, later. Returns false (and never calls `done`) when the
   * partition's queue is full or the writer is stopping: busy.
   */
  append(record: OutRecord, done: AppendDone, options?: { again?: boolean }): boolean {
    const queue = this.queues[partitionOf(record.key, this.queues.length)]!;
    const bytes = recordBytes(record);
    if (
      this.stopped ||
      queue.size >= this.limits.queueRecords ||
      queue.bytes + bytes > this.limits.queueBytes
    ) {
      return false;
    }
    if (bytes > this.limits.batchBytes) {
      queueMicrotask(() => this.answer(done, { ok: false, reason: 'too_large' }));
      return true;
    }
    queue.push({ record, done, again: options?.again === true, bytes, queuedAt: this.clock() });
    this.wake(queue);
    return true;
  }

  /** The partition that a key belongs to. */
  partitionOf(key: string): number {
    return partitionOf(key, this.queues.length);
  }

  partitionState(partition: number): PartitionState {
    const queue = this.queue(partition);
    const oldest = queue.oldestAt();
    return {
      queued: queue.size,
      queuedBytes: queue.bytes,
      oldestWaitingMs: oldest === null ? 0 : this.clock() - oldest,
      lastSuccessAt: queue.lastSuccessAt === -Infinity ? null : queue.lastSuccessAt,
      stalled: queue.stalled,
    };
  }

  /** Records waiting or in flight, over all partitions. */
  queued(): number {
    return this.queues.reduce((sum, queue) => sum + queue.size, 0);
  }

  /**
   * Hands over all records of a partition with their callbacks, in order: first those in flight
   * (marked `again`, as they may be in the log), then the queue. The writer forgets them; records
   * that come from now on may stall again.
   */
  takeWaiting(partition: number): Pending[] {
    const queue = this.queue(partition);
    const taken = queue.drain();
    queue.stalled = false;
    this.settled();
    return taken;
  }

  /**
   * Accepts no more records, waits up to `flushMs` for the queues, and answers the rest with
   * `stopped`.
   */
  async stop({ flushMs }: { flushMs: number }): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.wakeAll();
    await this.flushed(flushMs);
    clearInterval(this.stallTimer);
    this.main.close();
    this.aside.close();
    for (const queue of this.queues) {
      for (const { done } of queue.drain()) this.answer(done, { ok: false, reason: 'stopped' });
    }
  }

  private wake(queue: PartitionQueue): void {
    if (this.limits.linger === 0) this.laneOf(queue).wake();
    else this.lingering ??= setTimeout(() => this.wakeAll(), this.limits.linger);
  }

  private wakeAll(): void {
    clearTimeout(this.lingering);
    this.lingering = undefined;
    this.main.wake();
    this.aside.wake();
  }

  private flushed(flushMs: number): Promise<void> {
    if (this.queued() === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, flushMs);
      this.idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private queue(partition: number): PartitionQueue {
    const queue = this.queues[partition];
    if (!queue) throw new RangeError(`partition ${partition} of ${this.queues.length}`);
    return queue;
  }

  private laneOf(queue: PartitionQueue): MainLane | AsideLane {
    return queue.aside ? this.aside : this.main;
  }

  private senderHooks(): SenderHooks {
    return {
      appended: (queue, batch, baseOffset, timestamp) => {
        this.resume(queue);
        for (let i = 0; i < batch.length; i++) {
          const { done, again } = batch[i]!;
          const offset = baseOffset + BigInt(i);
          this.answer(done, { ok: true, partition: queue.partition, offset, timestamp, again });
        }
      },
      refused: (pending) => this.answer(pending.done, { ok: false, reason: 'too_large' }),
      unencodable: (pending, error) => {
        this.options.onError?.(error);
        this.answer(pending.done, { ok: false, reason: 'unencodable' });
      },
      settled: (queue) => {
        if (queue.waiting > 0) this.laneOf(queue).wake();
        this.settled();
      },
    };
  }

  private resume(queue: PartitionQueue): void {
    if (!queue.stalled) return;
    queue.stalled = false;
    this.options.onResumed?.(queue.partition);
  }

  private settled(): void {
    if (!this.idle || this.queued() > 0) return;
    this.idle();
    this.idle = null;
  }

  private checkStalls(): void {
    const now = this.clock();
    for (const queue of this.queues) {
      const since = queue.oldestAt();
      if (queue.stalled || since === null) continue;
      if (now - Math.max(since, queue.lastSuccessAt) < this.limits.stallAfter) continue;
      queue.stalled = true;
      this.options.onStalled?.(queue.partition);
    }
  }

  private answer(done: AppendDone, result: AppendResult): void {
    try {
      done(result);
    } catch (error) {
      this.options.onError?.(error);
    }
  }
}
