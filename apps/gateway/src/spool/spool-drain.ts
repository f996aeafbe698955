import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Drainer } from './drainer';
import { SpoolLane } from './spool-lane';
import type { SpoolStore } from './spool-store';

export interface SpoolDrainParts {
  /** One of its own: sends come by another. */
  writer: Pick<LogWriter, 'append' | 'takeWaiting'>;
  store: Pick<SpoolStore, 'partitions'>;
  drainer: Pick<Drainer, 'judge' | 'settle'>;
  logger: Pick<Logger, 'error'>;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/** Brings a spool to which nothing is added to the log, each partition in its order. */
export class SpoolDrain {
  /** Settles when all of it has left, or the drain is being stopped. */
  readonly ended: Promise<void>;
  private readonly lanes: SpoolLane[];
  private left = 0;
  private end!: () => void;

  constructor({ writer, store, drainer, logger, wallClock }: SpoolDrainParts) {
    this.ended = new Promise((resolve) => (this.end = resolve));
    this.lanes = store.partitions.map(
      (spool, partition) =>
        new SpoolLane({
          partition,
          writer,
          spool,
          drainer,
          wallClock,
          onHolding: (holding) => this.changed(holding),
          onHeld: () => undefined,
          onError: (error) => logger.error({ err: error, partition }, 'an adopted spool failed'),
        }),
    );
  }

  /** Begins; the writer is connected. */
  start(): void {
    for (const lane of this.lanes) lane.start();
    if (this.left === 0) this.end();
  }

  /** The writer's records of this partition have waited too long. */
  stalled(partition: number): void {
    this.lanes[partition]!.stalled();
  }

  /** Nothing more is begun; what is left stays on the disk. Settles when what is under way has ended. */
  async stop(): Promise<void> {
    this.end();
    await Promise.all(this.lanes.map((lane) => lane.stop()));
  }

  private changed(holding: boolean): void {
    this.left += holding ? 1 : -1;
    if (this.left === 0) this.end();
  }
}
