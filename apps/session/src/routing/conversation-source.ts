import type { STORAGE_RPC } from '@tidings/common/rpc/calls';
import type { RpcClient } from '@tidings/common/rpc/rpc-client';
import type { Missing, StorageAnswer } from '../domain/draft';
import { membershipOf } from '../domain/members';
import type { PartitionState } from '../domain/partition-state';

/** Longest wait for storage when recipients depend on it, and when only `previous` does, ms. */
const MEMBERS_WAIT_MS = 900;
const PREVIOUS_WAIT_MS = 300;
/** How long storage is left alone after a failure, where that costs only `previous`, ms. */
const AWAY_MS = 1_000;
/** Conversations per call, as the contract bounds them. */
const PER_CALL = 1_000;

/** A membership that is known elsewhere than in storage, e.g. in Redis. */
export interface MembershipCopies {
  /** Aligned with the ids; null: not there. */
  find(conversationIds: readonly string[]): Promise<(StorageAnswer | null)[]>;
}

/**
 * What routing does not know of a conversation: its members and last position, from storage; when
 * storage is away, the members from a copy.
 */
export class ConversationSource {
  private awayUntil = 0;

  constructor(
    private readonly storage: Pick<RpcClient<typeof STORAGE_RPC>, 'call'>,
    private readonly copies: MembershipCopies,
    private readonly hooks: { asked(conversations: number): void; failed(error: unknown): void },
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /**
   * Answers by conversation id. What is left out is not known at the moment. Never throws, waits at
   * most about {@link MEMBERS_WAIT_MS}.
   */
  async find(
    missing: readonly Missing[],
    state: PartitionState,
  ): Promise<Map<string, StorageAnswer>> {
    const answers = new Map<string, StorageAnswer>();
    const urgent = missing.some((m) => m.members);
    if (!urgent && this.clock() < this.awayUntil) return answers;
    const timeoutMs = urgent ? MEMBERS_WAIT_MS : PREVIOUS_WAIT_MS;
    try {
      for (let i = 0; i < missing.length; i += PER_CALL) {
        await this.ask(missing.slice(i, i + PER_CALL), state, timeoutMs, answers);
      }
      this.awayUntil = 0;
    } catch (error) {
      this.awayUntil = this.clock() + AWAY_MS;
      this.hooks.failed(error);
      if (urgent) await this.copy(missing, answers);
    }
    return answers;
  }

  private async ask(
    missing: readonly Missing[],
    { base, partition, chains }: PartitionState,
    timeoutMs: number,
    answers: Map<string, StorageAnswer>,
  ): Promise<void> {
    this.hooks.asked(missing.length);
    const below = String(chains.floor);
    const conversations = missing.map(({ conversationId }) => ({ conversationId, below }));
    const found = await this.storage.call(
      'conversations.routing',
      { conversations },
      { timeoutMs },
    );
    const exact = base + BigInt(found.applied[partition] ?? '0') >= chains.floor;
    for (const { conversationId } of missing) {
      answers.set(conversationId, { membership: null, previous: null });
    }
    for (const item of found.items) {
      const previous = exact ? BigInt(item.lastPosition) : null;
      answers.set(item.conversationId, {
        membership: membershipOf(item),
        previous,
        ...(item.pending && { provisional: true }),
      });
    }
  }

  private async copy(
    missing: readonly Missing[],
    answers: Map<string, StorageAnswer>,
  ): Promise<void> {
    const ids = missing.filter((m) => m.members).map((m) => m.conversationId);
    try {
      const copies = await this.copies.find(ids);
      copies.forEach((copy, i) => {
        if (copy) answers.set(ids[i]!, copy);
      });
    } catch (error) {
      this.hooks.failed(error);
    }
  }
}
