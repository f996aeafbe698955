import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { Block, Page } from '@tidings/protocol/http';
import { RedisUnavailable } from '@tidings/common/redis/client';
import { MemberCache } from '@tidings/common/redis/members';
import { AccountsRepository } from '../accounts/accounts.repository';
import { toUser } from '../accounts/user.mapper';
import { ConversationsService } from '../conversations/conversations.service';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { BlocksRepository, type BlockRow } from './blocks.repository';

/** Whom a user does not want to hear from. */
@Injectable()
export class BlocksService {
  constructor(
    private readonly blocks: BlocksRepository,
    private readonly accounts: AccountsRepository,
    private readonly conversations: ConversationsService,
    private readonly cache: MemberCache,
  ) {}

  /** By name. */
  async list(userId: string, cursor: string | undefined, limit: number): Promise<Page<Block>> {
    const after = cursor === undefined ? null : decodeCursor(cursor, 1)[0]!;
    const rows = await this.blocks.list(userId, after, limit + 1);
    const items = rows.slice(0, limit).map(toBlock);
    const last = rows[limit - 1];
    if (rows.length <= limit || !last) return { items };
    return { items, cursor: encodeCursor([last.usernameKey]) };
  }

  /**
   * Blocks a user; answered when the gateways' copy says so. Throws `not_found` for an unknown user,
   * `invalid_request` for oneself, `unavailable` when the block stands but Redis could not be told:
   * the call is to be repeated then.
   */
  async put(userId: string, blockedId: string): Promise<{ block: Block; added: boolean }> {
    if (userId === blockedId) {
      throw new TidingsError('invalid_request', { detail: 'You cannot block yourself' });
    }
    if (!(await this.accounts.byId(blockedId))) throw new TidingsError('not_found');
    const { added, conversationId } = await this.blocks.put(userId, blockedId);
    await this.tell(conversationId);
    const row = await this.blocks.get(userId, blockedId);
    // Taken back from another device meanwhile.
    if (!row) throw new TidingsError('unavailable');
    return { block: toBlock(row), added };
  }

  /** Takes a block back; doing it again changes nothing. Throws `unavailable` as `put` does. */
  async delete(userId: string, blockedId: string): Promise<{ removed: boolean }> {
    const { removed, conversationId } = await this.blocks.delete(userId, blockedId);
    await this.tell(conversationId);
    return { removed };
  }

  /** Writes what gateways judge sends by. */
  private async tell(conversationId: string | null): Promise<void> {
    if (conversationId === null) return;
    const { items } = await this.conversations.routing([{ conversationId }]);
    try {
      if (items[0]) await this.cache.put(items[0]);
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
      const detail = 'It is kept, but does not hold everywhere yet; ask again';
      throw new TidingsError('unavailable', { detail, cause: error });
    }
  }
}

function toBlock(row: BlockRow): Block {
  return { user: toUser(row), blockedAt: row.blockedAt.toISOString() };
}
