import type { MemberCache } from '@tidings/common/redis/members';
import type { StorageAnswer } from '../domain/draft';
import { membershipOf } from '../domain/members';
import type { MembershipCopies } from './conversation-source';

/** Redis' copies of memberships; they say nothing of positions. */
export class ConversationCopies implements MembershipCopies {
  constructor(private readonly cache: MemberCache) {}

  async find(conversationIds: readonly string[]): Promise<(StorageAnswer | null)[]> {
    const copies = await this.cache.get(conversationIds);
    return copies.map(
      (copy) =>
        copy && {
          membership: membershipOf(copy),
          previous: null,
          ...(copy.pending && { provisional: true }),
        },
    );
  }
}
