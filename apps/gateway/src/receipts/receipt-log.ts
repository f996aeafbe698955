import { EVENT_TYPES, type ReceiptMarked } from '@tidings/common/log-events/events';
import type { Marks } from '@tidings/protocol/receipt-marks';
import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { uuidv7 } from 'uuidv7';
import { JOINED_OVER_MS } from '../lanes/joined-receipts';
import type { Lanes } from '../lanes/lanes';
import { type DeviceMarks, PendingMarks } from './pending-marks';
import { isoTime } from '../socket/iso-time';
import type { ReceiptMetrics } from './receipt.metrics';

/** How long the first marks of a window wait for others to leave with, milliseconds. */
const BATCH_MS = 50;
/** Batches per window: what a device adds waits for its end, below 500 ms. */
const WINDOW_BATCHES = 9;
/** Device and conversation pairs that may wait; more are dropped. */
export const MAX_WAITING = 20_000;

export interface ReceiptLogParts {
  writer: Pick<LogWriter, 'append'>;
  metrics: ReceiptMetrics;
  lanes: Pick<Lanes, 'sheds'>;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/**
 * Appends watermarks to the receipt log, coalesced. What the log does not take now is merged with
 * what comes later, so that its latest state gets there. No timer runs while nothing waits. While
 * receipts are shed all of it waits for {@link JOINED_OVER_MS}, or until there is no room for more.
 */
export class ReceiptLog {
  private readonly pending: PendingMarks;
  private timer: NodeJS.Timeout | null = null;
  private batches = 0;
  /** Since when something waits, monotonic milliseconds; null: what is there has had its wait. */
  private since: number | null = null;
  private stopped = false;

  constructor(
    private readonly parts: ReceiptLogParts,
    most = MAX_WAITING,
  ) {
    this.pending = new PendingMarks(most);
  }

  /** Takes judged marks; false: they are dropped. */
  take(marks: Omit<DeviceMarks, 'at'>): boolean {
    if (isNothing(marks)) return true;
    const taken = !this.stopped && this.add({ ...marks, at: this.parts.clock() });
    if (!taken) this.parts.metrics.lost(this.stopped ? 'stopped' : 'full');
    else this.timer ??= setTimeout(() => this.tick(), BATCH_MS);
    return taken;
  }

  /**
   * Appends marks at once. True: they are in the log; false: they are on their way, merged with
   * others if need be, as they always are while receipts are shed. Null: they are dropped.
   */
  append(marks: Omit<DeviceMarks, 'at'>, withinMs: number): Promise<boolean | null> {
    if (isNothing(marks)) return Promise.resolve(true);
    if (this.joins) return Promise.resolve(this.take(marks) ? false : null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), withinMs);
      const settle = (done: boolean | null): void => {
        clearTimeout(timer);
        resolve(done);
      };
      const one = { ...marks, at: this.parts.clock() };
      if (!this.put(one, (ok) => settle(ok || null))) settle(this.take(marks) ? false : null);
    });
  }

  /** Hands everything to the writer, which is flushed next. */
  stop(): void {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    for (const marks of this.pending.takeAll()) {
      if (!this.put(marks)) this.parts.metrics.lost('stopped');
    }
  }

  /** Device and conversation pairs that wait. */
  get waiting(): number {
    return this.pending.size;
  }

  private get joins(): boolean {
    return this.parts.lanes.sheds('receipts');
  }

  private add(marks: DeviceMarks): boolean {
    this.since ??= marks.at;
    if (this.pending.add(marks)) return true;
    if (!this.joins) return false;
    this.leave(this.pending.takeAll());
    return this.pending.add(marks);
  }

  private tick(): void {
    const waits = this.joins && this.since !== null;
    if (!waits || this.parts.clock() - this.since! >= JOINED_OVER_MS) {
      this.batches = (this.batches + 1) % WINDOW_BATCHES;
      const all = this.batches === 0 || this.joins;
      this.leave(all ? this.pending.takeAll() : this.pending.takeFirst());
    }
    this.timer = this.pending.idle ? null : setTimeout(() => this.tick(), BATCH_MS);
  }

  private leave(leaving: readonly DeviceMarks[]): void {
    this.since = null;
    for (const marks of leaving) {
      if (!this.put(marks) && !this.pending.add(marks)) this.parts.metrics.lost('full');
    }
  }

  /** Appends one record; false: the writer's queue is full. */
  private put(marks: DeviceMarks, done?: (ok: boolean) => void): boolean {
    const { writer, metrics, clock, wallClock } = this.parts;
    const { conversationId, userId, deviceId, delivered, read } = marks;
    const at = isoTime(wallClock());
    const event: ReceiptMarked = {
      conversationId,
      userId,
      deviceId,
      ...(delivered !== '0' && { delivered }),
      ...(read !== '0' && { read }),
      at,
    };
    const value = JSON.stringify(event);
    const record = {
      key: conversationId,
      type: EVENT_TYPES.receipt,
      id: uuidv7(),
      time: at,
      value,
    };
    return writer.append(record, (result) => {
      if (result.ok) metrics.appended(clock() - marks.at);
      else metrics.lost('stopped');
      done?.(result.ok);
    });
  }
}

/** Position "0" lies below every entry. */
function isNothing({ delivered, read }: Marks): boolean {
  return delivered === '0' && read === '0';
}
