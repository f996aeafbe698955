import type { StorageClient } from '../service-clients';

const RETRY_MS = 500;

/** The log's epoch and how offsets become positions, as storage says; fixed while services run. */
export class LogPositions {
  private constructor(
    readonly epoch: number,
    private readonly bases: readonly bigint[],
  ) {}

  /** Asks storage until it answers. */
  static async load(storage: Pick<StorageClient, 'call'>): Promise<LogPositions> {
    for (;;) {
      try {
        const { epoch, bases } = await storage.call('log.state', {});
        return LogPositions.of(epoch, bases);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** From the epoch and the position base of each partition (decimal strings). */
  static of(epoch: number, bases: readonly string[]): LogPositions {
    return new LogPositions(epoch, bases.map(BigInt));
  }

  /** The position of a record. */
  position(partition: number, offset: bigint): string {
    return ((this.bases[partition] ?? 0n) + offset).toString();
  }

  /** The offset of the record at a position; null: it lies in the log of an earlier epoch. */
  offset(partition: number, position: string): bigint | null {
    const offset = BigInt(position) - (this.bases[partition] ?? 0n);
    return offset < 0n ? null : offset;
  }
}
