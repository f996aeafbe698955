import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { WINDOW_MS } from '../domain/recent-ids';

const TIMEOUT_MS = 5_000;

/**
 * Where the window of each partition begins. An assignment of many partitions asks once: whoever
 * comes while a call is under way shares its answer.
 */
export class WindowOffsets {
  private asking: Promise<bigint[]> | null = null;

  constructor(
    private readonly offsets: Pick<LogOffsets, 'offsetsAtTime'>,
    private readonly now: () => number,
  ) {}

  /** First offset of the window; throws when Kafka does not answer. */
  async of(partition: number): Promise<bigint | null> {
    this.asking ??= this.offsets
      .offsetsAtTime(TOPICS.messages, this.now() - WINDOW_MS, TIMEOUT_MS)
      .finally(() => {
        this.asking = null;
      });
    const offsets = await this.asking;
    return offsets[partition] ?? null;
  }
}
