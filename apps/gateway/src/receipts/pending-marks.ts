import { mergeMarks, type Marks } from '@tidings/protocol/receipt-marks';

/** Watermarks that one device has raised in one conversation. */
export interface DeviceMarks extends Marks {
  conversationId: string;
  userId: string;
  deviceId: string;
  /** When the oldest of them came, monotonic milliseconds. */
  at: number;
}

/**
 * Watermarks on their way to the log, merged per device and conversation. The first of a window
 * leaves with the next batch, what a device adds to it leaves when the window ends: one record per
 * device, conversation and window. Bounded by the number of pairs.
 */
export class PendingMarks {
  /** To leave with the next batch. */
  private first = new Map<string, DeviceMarks>();
  /** To leave when the window ends. */
  private later = new Map<string, DeviceMarks>();
  /** Pairs that have had their record in this window. */
  private readonly served = new Set<string>();

  constructor(private readonly most: number) {}

  /** Takes marks in. False: there is no room for another pair, they are dropped. */
  add(marks: DeviceMarks): boolean {
    const key = marks.deviceId + marks.conversationId;
    const waiting = this.first.get(key) ?? this.later.get(key);
    if (waiting) {
      Object.assign(waiting, mergeMarks(waiting, marks));
      waiting.at = Math.min(waiting.at, marks.at);
      return true;
    }
    if (this.size >= this.most) return false;
    const served = this.served.has(key) || this.served.size >= this.most;
    (served ? this.later : this.first).set(key, { ...marks });
    return true;
  }

  /** What leaves with this batch. */
  takeFirst(): DeviceMarks[] {
    const taken = [...this.first.values()];
    for (const key of this.first.keys()) this.served.add(key);
    this.first = new Map();
    return taken;
  }

  /** Ends the window: everything leaves, and counts for the next one. */
  takeAll(): DeviceMarks[] {
    this.served.clear();
    for (const key of this.later.keys()) this.served.add(key);
    const rest = [...this.later.values()];
    this.later = new Map();
    return [...this.takeFirst(), ...rest];
  }

  /** Pairs that wait. */
  get size(): number {
    return this.first.size + this.later.size;
  }

  /** Nothing waits and no window runs. */
  get idle(): boolean {
    return this.size === 0 && this.served.size === 0;
  }
}
