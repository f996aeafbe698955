import type { LogState } from '@tidings/common/rpc/log-state';

/** The log's epoch and how offsets become positions, as storage says; fixed while services run. */
export class LogPositions {
  private constructor(
    readonly epoch: number,
    private readonly bases: readonly bigint[],
  ) {}

  static of({ epoch, bases }: LogState): LogPositions {
    return new LogPositions(epoch, bases);
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
