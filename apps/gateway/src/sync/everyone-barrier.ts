import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { Barrier } from '@tidings/common/rpc/calls';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import type { LogPositions } from '../send/log-positions';

/** Where a read barrier lies in the conversation of everybody. */
export class EveryoneBarrier {
  private readonly partition: number;

  constructor(
    private readonly positions: Pick<LogPositions, 'position'>,
    partitions: number,
  ) {
    this.partition = partitionOf(EVERYONE_ID, partitions);
  }

  /** The first position that is not below the barrier; null: Kafka could not tell. */
  position(barrier: Barrier | null): bigint | null {
    const next = barrier?.[this.partition] ?? null;
    return next === null ? null : BigInt(this.positions.position(this.partition, BigInt(next)));
  }
}
