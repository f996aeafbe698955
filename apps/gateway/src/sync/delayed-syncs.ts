import type { Barrier } from '@tidings/common/rpc/calls';
import type { Logger } from '@tidings/common/runtime/logger';
import type { StorageClient } from '../service-clients';
import type { Connection } from '../socket/connection';
import { resyncFrameText } from '../socket/server-frames';
import type { WriteQueue } from '../socket/write-queue';
import type { ReadBarrier } from './read-barrier';
import { pause } from '@tidings/common/runtime/waiting';

/** A delayed answer is not repeated before this time, milliseconds. */
const SOONEST_MS = 5_000;
/** Within this time clients spread their next `sync`, milliseconds. */
const WITHIN_MS = 5_000;
const PAUSE_MS = 500;

export interface DelayedSyncsParts {
  storage: Pick<StorageClient, 'call'>;
  barrier: ReadBarrier;
  writes: WriteQueue;
  logger: Logger;
  /** Telling this connection threw: notes it and closes the connection. */
  failed(connection: Connection, error: unknown): void;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * Connections whose `sync` was answered `delayed`. One barrier is tried for all of them; when
 * storage has passed it they are told to sync again. Nothing runs while there are none.
 */
export class DelayedSyncs {
  private readonly delayed = new Map<Connection, number>();
  private running = false;
  private stopped = false;

  constructor(private readonly parts: DelayedSyncsParts) {}

  /** A connection got a delayed answer just now. */
  add(connection: Connection): void {
    this.delayed.set(connection, this.parts.clock());
    if (this.running || this.stopped) return;
    this.running = true;
    this.parts.logger.warn('syncs are delayed: storage or Kafka is behind');
    void this.run();
  }

  stop(): void {
    this.stopped = true;
    this.delayed.clear();
  }

  private async run(): Promise<void> {
    while (this.delayed.size > 0 && !this.stopped) {
      const startedAt = this.parts.clock();
      if (await this.passed()) this.tell(startedAt);
      await pause(PAUSE_MS);
    }
    this.running = false;
  }

  /** Whether storage has applied everything that is in the log at the moment of this call. */
  private async passed(): Promise<boolean> {
    const barrier = await this.parts.barrier.take();
    if (!barrier || barrier.includes(null)) return false;
    while (!this.stopped && this.delayed.size > 0) {
      if (await this.applied(barrier)) return true;
      await pause(PAUSE_MS);
    }
    return false;
  }

  private async applied(barrier: Barrier): Promise<boolean> {
    try {
      const { applied } = await this.parts.storage.call('log.state', {});
      return barrier.every((next, p) => BigInt(applied[p] ?? 0) >= BigInt(next ?? 0));
    } catch {
      return false;
    }
  }

  private tell(startedAt: number): void {
    const soonest = this.parts.clock() - SOONEST_MS;
    const frame = resyncFrameText('delayed', WITHIN_MS);
    for (const [connection, answeredAt] of this.delayed) {
      const notYet = answeredAt > startedAt || answeredAt > soonest;
      if (notYet && !connection.ended) continue;
      this.delayed.delete(connection);
      try {
        this.parts.writes.send(connection, frame);
      } catch (error) {
        this.parts.failed(connection, error);
      }
    }
  }
}
