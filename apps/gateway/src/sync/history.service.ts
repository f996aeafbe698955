import { Inject, Injectable } from '@nestjs/common';
import type { HistoryPage, historyQuery } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { z } from 'zod';
import { StorageClient } from '../service-clients';
import { ReadBarrier } from './read-barrier';

/** Storage waits up to 2 s for the barrier; the rest is for the answer and its way. */
const TIMEOUT_MS = 5_000;

/** How many partitions the log has. */
export const PARTITIONS = Symbol('partitions of the log');

/** Reads pages of a conversation's history. */
@Injectable()
export class HistoryService {
  constructor(
    private readonly storage: StorageClient,
    private readonly barrier: ReadBarrier,
    @Inject(PARTITIONS) private readonly partitions: number,
  ) {}

  /**
   * One page. Without `before` it holds everything that was in the log when it was asked for, or
   * says `delayed`. Throws `no_such_conversation`.
   */
  async page(
    userId: string,
    conversationId: string,
    query: z.output<typeof historyQuery>,
  ): Promise<HistoryPage> {
    const input = { userId, conversationId, limit: LIMITS.pageItems, ...query };
    if (query.before !== undefined) return this.storage.call('messages.history', input);
    const barrier = (await this.barrier.take()) ?? Array<null>(this.partitions).fill(null);
    const options = { timeoutMs: TIMEOUT_MS };
    return this.storage.call('messages.history', { ...input, barrier }, options);
  }
}
