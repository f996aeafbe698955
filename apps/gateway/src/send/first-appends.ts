import type { FirstAppend, RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import type { StorageClient } from '../service-clients';
import { CallBatch } from '../call-batch';
import { pause } from '@tidings/common/runtime/waiting';

interface Question {
  conversationId: string;
  messageId: string;
  /** Offset of the copy that was just appended; storage must have applied it to know. */
  after?: string;
}

type Answer = RpcOutput<typeof STORAGE_RPC, 'messages.first'>['items'][number];

/** How long a look-up before an append may take, milliseconds. */
const LOOKUP_MS = 1_000;
/** How long one call lets storage wait until it has applied the offset, milliseconds. */
const APPLY_WAIT_MS = 100;
/** Pause before storage is asked again, milliseconds. */
const PAUSE_MS = 50;
const PAUSE_AWAY_MS = 500;
/** After a failed call nobody looks up before appending for this time, milliseconds. */
const AWAY_MS = 2_000;
const BATCH = { items: 500, calls: 4 };

/**
 * Asks storage, the one authority, where a message id was first appended: before an append that may
 * not be the first, and after one whose outcome was not certain. All who ask share calls.
 */
export class FirstAppends {
  private readonly lookups: CallBatch<Question, Answer>;
  private readonly confirmations: CallBatch<Question, Answer>;
  private awayUntil = -Infinity;

  constructor(
    private readonly storage: Pick<StorageClient, 'call'>,
    private readonly clock: () => number,
  ) {
    this.lookups = new CallBatch((ids) => this.call(ids, 0, LOOKUP_MS), BATCH);
    this.confirmations = new CallBatch(
      (ids) => this.call(ids, APPLY_WAIT_MS, LOOKUP_MS + APPLY_WAIT_MS),
      BATCH,
    );
  }

  /**
   * Before an append: the first append of an id, null when storage has none or cannot tell within a
   * second. Not asked at all while storage is known to be away. Never rejects.
   */
  async lookUp(conversationId: string, messageId: string): Promise<FirstAppend | null> {
    if (this.clock() < this.awayUntil) return null;
    try {
      return (await this.lookups.ask({ conversationId, messageId })).first;
    } catch {
      return null;
    }
  }

  /**
   * The first append of an id among the offsets below `end`, null when there is none; undefined: storage
   * cannot tell yet. Never rejects.
   */
  async lookUpBelow(
    conversationId: string,
    messageId: string,
    end: bigint,
  ): Promise<FirstAppend | null | undefined> {
    const after = (end > 0n ? end - 1n : 0n).toString();
    try {
      const { applied, first } = await this.confirmations.ask({ conversationId, messageId, after });
      return first ?? (applied || end === 0n ? null : undefined);
    } catch {
      return undefined;
    }
  }

  /**
   * After an append at `after`: the first append of the id, asked until storage has applied that
   * offset; null when it could not tell within `patienceMs`. Never rejects.
   */
  async confirm(
    conversationId: string,
    messageId: string,
    after: bigint,
    patienceMs: number,
  ): Promise<FirstAppend | null> {
    const until = this.clock() + patienceMs;
    const question = { conversationId, messageId, after: after.toString() };
    for (;;) {
      let waitMs = PAUSE_MS;
      try {
        const { applied, first } = await this.confirmations.ask(question);
        if (first) return first;
        if (applied) return null;
      } catch {
        waitMs = PAUSE_AWAY_MS;
      }
      if (this.clock() + waitMs >= until) return null;
      await pause(waitMs);
    }
  }

  private async call(ids: Question[], waitMs: number, timeoutMs: number): Promise<Answer[]> {
    try {
      return (await this.storage.call('messages.first', { ids, waitMs }, { timeoutMs })).items;
    } catch (error) {
      this.awayUntil = this.clock() + AWAY_MS;
      throw error;
    }
  }
}
