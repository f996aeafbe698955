import { TidingsError } from '@tidings/protocol/errors';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import type { Connection } from '../socket/connection';
import type { SyncFrames } from '../socket/frame-router';
import type { SyncFrame } from '../socket/inbound-frame';
import { syncedFrameBegin } from '../socket/server-frames';
import type { WriteQueue } from '../socket/write-queue';
import type { Barrier } from '@tidings/common/rpc/calls';
import type { EveryoneDelivery } from '../deliver/everyone-delivery';
import type { DelayedSyncs } from './delayed-syncs';
import type { EveryoneBarrier } from './everyone-barrier';
import type { SyncAnswer, SyncService } from './sync.service';

/** Syncs of one socket that are answered at a time. */
export const MAX_SYNCS = 4;
const BUSY_RETRY_MS = 1_000;

/** What is pushed to everybody, and how far a sync covers it. */
export interface Everyone {
  barrier: Pick<EveryoneBarrier, 'position'>;
  delivery: Pick<EveryoneDelivery, 'barrierTaken'>;
}

/** Answers `sync` frames. The frames that carry an answer leave as the socket takes them. */
export class SyncHandler implements SyncFrames {
  constructor(
    private readonly service: Pick<SyncService, 'sync'>,
    private readonly delayed: DelayedSyncs,
    private readonly writes: WriteQueue,
    private readonly everyone: Everyone,
  ) {}

  /** Answers one `sync`. */
  handle(connection: Connection, frame: SyncFrame): Promise<void> | void {
    if (connection.syncs >= MAX_SYNCS) {
      const error = new TidingsError('busy', { retryAfterMs: BUSY_RETRY_MS });
      this.writes.refuse(connection, frame.type, error, { ref: frame.ref });
      return;
    }
    connection.syncs += 1;
    return this.answer(connection, frame);
  }

  /** Refuses a `sync` that came too soon. */
  limited(connection: Connection, { ref, type }: SyncFrame, error: TidingsError): void {
    this.writes.refuse(connection, type, error, { ref });
  }

  private async answer(connection: Connection, frame: SyncFrame): Promise<void> {
    const { ref, since, asOf, conversations } = frame;
    const request = { since, asOf, conversations };
    try {
      const { userId } = connection;
      // who lists conversations without `since` is answered those alone
      const whole = since !== undefined || conversations === undefined;
      const { bodies, delayed } = await this.service.sync(userId, request, (barrier) => {
        if (whole) this.covered(connection, barrier);
      });
      await this.write(connection, ref, bodies);
      if (delayed) this.delayed.add(connection);
    } catch (error) {
      this.writes.refuse(connection, frame.type, toTidingsError(error), { ref });
    } finally {
      connection.syncs -= 1;
    }
  }

  private covered(connection: Connection, barrier: Barrier | null): void {
    const { barrier: everyone, delivery } = this.everyone;
    const position = everyone.position(barrier);
    if (position !== null) delivery.barrierTaken(connection, position);
  }

  private async write(
    connection: Connection,
    ref: string,
    bodies: SyncAnswer['bodies'],
  ): Promise<void> {
    for (const body of bodies) {
      await this.writes.room(connection);
      this.writes.sendLong(connection, syncedFrameBegin(ref), withoutBrace(body));
    }
  }
}

/** A JSON object behind its first byte: it goes on what a frame begins with. */
function withoutBrace([first, ...rest]: Uint8Array[]): Uint8Array[] {
  return first ? [first.subarray(1), ...rest] : [];
}
