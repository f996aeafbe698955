import type { WindowCopies } from '@tidings/common/redis/window-copies';
import type { PartitionState } from '../domain/partition-state';
import { fillFrom } from '../domain/window-fill';
import { decodeSegment, encodeSegment } from '../domain/window-segment';

/** How often segments are handed over, in milliseconds: what is younger is read from the log. */
const FLUSH_MS = 1_000;

/**
 * Keeps copies of what routing remembers in Redis, so that the next owner of a partition need not read
 * and parse two minutes of log while nobody is pushed anything (decision 0028). Whatever fails here
 * costs that time and nothing else.
 */
export class WindowKeeper {
  private readonly changed = new Set<PartitionState>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly copies: Pick<WindowCopies, 'add' | 'read' | 'forget'>,
    private readonly epoch: number,
    private readonly failed: (error: unknown) => void = () => undefined,
  ) {}

  /** A state has taken in a batch. */
  note(state: PartitionState): void {
    this.changed.add(state);
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** Hands over what is new. Never rejects; what fails goes with the next segment. */
  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const states = [...this.changed].filter(({ copied, next }) => copied < next);
    this.changed.clear();
    if (states.length === 0) return;
    try {
      const segments = states.map(({ base, copied: from, next, recentIds }) => {
        return { from, next, run: recentIds.run(base + from, base + next) };
      });
      const bytes = segments.map(encodeSegment);
      await this.copies.add(this.epoch, new Map(states.map((s, i) => [s.partition, bytes[i]!])));
      states.forEach((state, i) => (state.copied = segments[i]!.next));
    } catch (error) {
      this.failed(error);
    }
  }

  /**
   * Fills a new state as far as there are copies; `high`: the end of the log. Returns how many entries
   * were taken. Never rejects. Waits as long as Redis takes, 2 s at most: without it nothing can be pushed
   * anyway.
   */
  async fill(state: PartitionState, high: bigint): Promise<number> {
    if (state.next >= state.liveFrom) return 0;
    const of = { epoch: this.epoch, partition: state.partition };
    try {
      const read = await this.copies.read(of);
      const segments = read.map(decodeSegment).filter((one) => one !== null);
      // of a log that has lost its end: other records will stand there
      if (segments.some(({ next }) => next > high)) {
        await this.copies.forget(of);
        return 0;
      }
      return fillFrom(state, segments);
    } catch (error) {
      this.failed(error);
      return 0;
    }
  }
}
