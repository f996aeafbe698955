import type { RoutedMark, RoutedMarks } from '@tidings/common/redis/routed-marks';

/** How often marks are handed over, in milliseconds. */
const FLUSH_MS = 1_000;
/** Batches that follow each other within this time share a mark: it tells their end. */
const SLOT_MS = 50;
/** Marks of one partition that may wait for Redis; more are left out. */
const MAX_WAITING = 200;

interface Slot extends RoutedMark {
  /** When its first batch was routed. */
  beganMs: number;
}

/** What was routed: records at positions [from, next). */
export type RoutedRange = Pick<RoutedMark, 'from' | 'next'>;

/**
 * Notes when records were routed, for those who ask where their messages are. Costs routing a few
 * numbers per batch; Redis gets at most 20 marks a second and partition. What Redis does not take is not
 * known later.
 */
export class RoutingTimes {
  private waiting = new Map<number, Slot[]>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly marks: Pick<RoutedMarks, 'add'>,
    /** Unix milliseconds. */
    private readonly now: () => number,
    private readonly failed: (error: unknown) => void = () => undefined,
  ) {}

  /** A batch was routed just now. */
  note(partition: number, { from, next }: RoutedRange): void {
    const atMs = this.now();
    const slots = this.waiting.get(partition) ?? [];
    const last = slots.at(-1);
    if (last && last.next === from && atMs - last.beganMs < SLOT_MS) {
      Object.assign(last, { next, atMs });
    } else if (slots.length < MAX_WAITING) {
      slots.push({ from, next, atMs, beganMs: atMs });
      this.waiting.set(partition, slots);
    }
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** Hands over what waits. Never rejects. */
  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const marks = this.waiting;
    this.waiting = new Map();
    if (marks.size === 0) return;
    try {
      await this.marks.add(marks);
    } catch (error) {
      this.failed(error);
    }
  }
}
