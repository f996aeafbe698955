import { TidingsError } from '@tidings/protocol/errors';
import { LRUCache } from 'lru-cache';
import type { StorageClient } from '../service-clients';
import type { Doer, UserRates } from '../rates/user-rates';
import type { Membership } from '../members/membership';

const MAX_PAIRS = 20_000;
/** Storage answers within 2 s, when the creation is in the log; then a little for the way. */
const TIMEOUT_MS = 2_500;
/** What a conversation that is made costs: it, and the one who is met in it. */
const COSTS = [
  ['createConversation', 1],
  ['invite', 1],
] as const;

/** Finds the direct conversation of two users for a send with `to`; it is made when absent. */
export class DirectConversations {
  private readonly ids = new LRUCache<string, string>({ max: MAX_PAIRS });
  private readonly asked = new Map<string, Promise<string>>();

  constructor(
    private readonly storage: Pick<StorageClient, 'call'>,
    private readonly membership: Membership,
    private readonly rates: Pick<UserRates, 'require' | 'giveBack'>,
  ) {}

  /** The conversation's id, when it is known here; it never changes. */
  known(userId: string, otherId: string): string | undefined {
    return this.ids.get(pairKey(userId, otherId));
  }

  /**
   * The conversation's id. Throws `invalid_request` (oneself), `not_found`, `unavailable`, `rate_limited`;
   * when there is none yet `blocked` by who blocks the user, `not_allowed` by who admits contacts alone.
   */
  resolve({ userId, deviceId }: Doer, otherId: string): Promise<string> {
    if (userId === otherId) {
      const detail = 'to: a conversation with oneself cannot be';
      return Promise.reject(new TidingsError('invalid_request', { detail }));
    }
    const key = pairKey(userId, otherId);
    const known = this.ids.get(key);
    if (known !== undefined) return Promise.resolve(known);
    // Not by pair: one of the two may be refused.
    const question = userId + otherId;
    const asked = this.asked.get(question) ?? this.ask(key, { userId, deviceId }, otherId);
    this.asked.set(question, asked);
    return asked;
  }

  private async ask(key: string, doer: Doer, otherId: string): Promise<string> {
    const { userId } = doer;
    try {
      await this.rates.require(doer, COSTS);
      const input = { userId, otherId };
      const answer = await this.storage.call('conversations.direct', input, {
        timeoutMs: TIMEOUT_MS,
      });
      if (!answer.created) this.rates.giveBack(doer, COSTS);
      this.membership.learn(answer.routing);
      this.ids.set(key, answer.conversation.id);
      return answer.conversation.id;
    } finally {
      this.asked.delete(userId + otherId);
    }
  }
}

function pairKey(userId: string, otherId: string): string {
  return userId < otherId ? userId + otherId : otherId + userId;
}
