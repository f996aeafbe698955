import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { OutRecord } from '@tidings/common/log-events/record';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Drainer } from './drainer';
import { SpoolLane, type SendDone } from './spool-lane';
import type { SpoolStore } from './spool-store';

export interface HoldingWriterParts {
  writer: Pick<LogWriter, 'append' | 'takeWaiting' | 'partitionOf' | 'stop'>;
  store: Pick<SpoolStore, 'partitions' | 'entries'>;
  drainer: Pick<Drainer, 'judge' | 'settle'>;
  logger: Pick<Logger, 'warn' | 'error'>;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/**
 * The log writer of the sends. While a partition of the log takes nothing, its sends are held on
 * this gateway's disk and go to the log later in the same order; other partitions do not notice.
 */
export class HoldingWriter {
  private readonly lanes: SpoolLane[];
  private holding = 0;
  private outage = { since: 0, heldBefore: 0 };
  /** Sends answered `held` since the start. */
  heldTotal = 0;
  /** Entries that have left the disk since the start, and in how many batches. */
  readonly drained = { entries: 0, batches: 0 };

  constructor(private readonly parts: HoldingWriterParts) {
    const { writer, store, drainer, logger, wallClock } = parts;
    this.lanes = store.partitions.map(
      (spool, partition) =>
        new SpoolLane({
          partition,
          writer,
          spool,
          drainer,
          wallClock,
          onHolding: (holding) => this.changed(holding),
          onHeld: () => (this.heldTotal += 1),
          onDrained: (entries) => {
            this.drained.entries += entries;
            this.drained.batches += 1;
          },
          onError: (error) => logger.error({ err: error, partition }, 'the spool failed'),
        }),
    );
  }

  /** Drains what an earlier run left; the writer is connected. */
  start(): void {
    for (const lane of this.lanes) lane.start();
  }

  /** As {@link LogWriter.append}; `done` may also hear that the record is held or cannot be. */
  append(record: OutRecord, done: SendDone, options?: { again?: boolean }): boolean {
    if (this.holding === 0) return this.parts.writer.append(record, done, options);
    return this.lanes[this.parts.writer.partitionOf(record.key)]!.append(record, done, options);
  }

  /** Whether a record of this key would be held. */
  isHolding(key: string): boolean {
    return this.holding > 0 && this.lanes[this.parts.writer.partitionOf(key)]!.isHolding;
  }

  /** The writer's records of this partition have waited too long. */
  stalled(partition: number): void {
    this.lanes[partition]!.stalled();
  }

  /** Takes no more sends and flushes the writer up to `flushMs`; what is held stays on the disk. */
  async stop({ flushMs }: { flushMs: number }): Promise<void> {
    const ended = this.lanes.map((lane) => lane.stop());
    await this.parts.writer.stop({ flushMs });
    await Promise.all(ended);
  }

  private changed(holding: boolean): void {
    const { clock, logger, store } = this.parts;
    const { outage } = this;
    if (holding && this.holding++ === 0) {
      this.outage = { since: clock(), heldBefore: this.heldTotal };
      logger.warn({ entries: store.entries }, 'the log takes no records: sends are held on disk');
    } else if (!holding && --this.holding === 0) {
      const ms = Math.round(clock() - outage.since);
      const held = this.heldTotal - outage.heldBefore;
      logger.warn({ ms, held }, 'the log takes records again: nothing is held any more');
    }
  }
}
