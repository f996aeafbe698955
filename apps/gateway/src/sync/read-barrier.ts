import type { Barrier } from '@tidings/common/rpc/calls';
import type { Watermarks } from '@tidings/common/kafka/offsets/watermarks';

/** The read barrier in the form in which storage takes it. */
export class ReadBarrier {
  constructor(private readonly watermarks: Pick<Watermarks, 'barrier'>) {}

  /** Next offset per partition; null when Kafka could not tell within a second. Never rejects. */
  async take(): Promise<Barrier | null> {
    try {
      const offsets = await this.watermarks.barrier();
      return offsets.map((offset) => offset?.toString() ?? null);
    } catch {
      return null;
    }
  }
}
