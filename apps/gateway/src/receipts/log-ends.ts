import { comparePositions } from '@tidings/protocol/positions';
import type { LogPositions } from '../send/log-positions';
import type { ReadBarrier } from '../sync/read-barrier';
import { pause } from '@tidings/common/runtime/waiting';

/** Kafka is asked at most this often, in milliseconds. */
const PAUSE_MS = 100;

export interface LogEndsParts {
  barrier: ReadBarrier;
  positions: LogPositions;
  /** Partition of a conversation. */
  partitionOf: (conversationId: string) => number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * How far the conversation log reaches, to judge the positions that clients name. What is above the
 * last known end takes a fresh barrier; one serves everybody who came before it began.
 */
export class LogEnds {
  /** Position after the last record, per partition; undefined: never learned. */
  private readonly ends: string[] = [];
  private next: Promise<boolean[]> | null = null;
  private askedAt = -PAUSE_MS;

  constructor(private readonly parts: LogEndsParts) {}

  /** Whether a position is known to lie in the log; false says nothing. */
  covers(conversationId: string, position: string): boolean {
    return this.isBelowEnd(this.parts.partitionOf(conversationId), position);
  }

  /** Whether the log reaches a position now; null: Kafka could not tell. Never rejects. */
  async reaches(conversationId: string, position: string): Promise<boolean | null> {
    const partition = this.parts.partitionOf(conversationId);
    if (this.isBelowEnd(partition, position)) return true;
    this.next ??= this.ask();
    const answered = await this.next;
    if (this.isBelowEnd(partition, position)) return true;
    return answered[partition] ? false : null;
  }

  private isBelowEnd(partition: number, position: string): boolean {
    const end = this.ends[partition];
    return end !== undefined && comparePositions(position, end) < 0;
  }

  /** Which partitions were answered for. */
  private async ask(): Promise<boolean[]> {
    const waitMs = this.askedAt + PAUSE_MS - this.parts.clock();
    // Never in the same turn: `next` must be known when it begins.
    await pause(Math.max(0, waitMs));
    this.next = null;
    this.askedAt = this.parts.clock();
    const barrier = (await this.parts.barrier.take()) ?? [];
    return barrier.map((offset, partition) => {
      if (offset === null) return false;
      const end = this.parts.positions.position(partition, BigInt(offset));
      const known = this.ends[partition];
      if (known === undefined || comparePositions(end, known) > 0) this.ends[partition] = end;
      return true;
    });
  }
}
