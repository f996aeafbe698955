import { Injectable } from '@nestjs/common';
import type { SyncedBody, SyncRequest } from '@tidings/protocol/frames';
import type { Barrier, RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { failpoint, FAILPOINTS_SET } from '@tidings/common/runtime/failpoint';
import { StorageClient } from '../service-clients';
import { ReadBarrier } from './read-barrier';

/** Storage waits up to 2 s for the barrier; the rest is for the answer and its way. */
const TIMEOUT_MS = 5_000;

/** JSON texts of the bodies of an answer in UTF-8, in pieces, and whether storage was behind. */
export type SyncAnswer = RpcOutput<typeof STORAGE_RPC, 'sync'>;

/** Asks storage what a client lacks. */
@Injectable()
export class SyncService {
  constructor(
    private readonly storage: StorageClient,
    private readonly barrier: ReadBarrier,
  ) {}

  /**
   * The answer of one `sync`, cut into frames' bodies. To be called only when the caller's route is
   * written: what the barrier does not cover is pushed. `barrierTaken` is told of it at once. Throws
   * storage's error codes.
   */
  async sync(
    userId: string,
    request: SyncRequest,
    barrierTaken?: (barrier: Barrier | null) => void,
  ): Promise<SyncAnswer> {
    if (FAILPOINTS_SET) await failpoint('gateway.betweenRouteAndBarrier');
    const barrier = await this.barrier.take();
    barrierTaken?.(barrier);
    const input = { userId, request, barrier };
    return this.storage.call('sync', input, { timeoutMs: TIMEOUT_MS });
  }

  /** The same for a client without a socket, in one body. */
  async syncOnce(userId: string, request: SyncRequest): Promise<SyncedBody> {
    const answer = await this.sync(userId, request);
    const bodies = answer.bodies.map(
      (pieces) => JSON.parse(Buffer.concat(pieces).toString('utf8')) as SyncedBody,
    );
    const conversations = bodies.flatMap((body) => body.conversations);
    return { ...bodies.at(-1), conversations };
  }
}
