import { Injectable } from '@nestjs/common';
import { requireUnblocked } from '@tidings/protocol/blocks';
import { TidingsError } from '@tidings/protocol/errors';
import type { Conversation, Page } from '@tidings/protocol/http';
import type { ConversationRouting } from '@tidings/common/rpc/calls';
import { AccountsRepository } from '../accounts/accounts.repository';
import { BlocksRepository } from '../blocks/blocks.repository';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { LogState } from '../log/log-state';
import { Progress } from '../log/progress';
import { OutboxService } from '../outbox/outbox.service';
import { PrivacyService } from '../privacy/privacy.service';
import { ConversationsRepository, type ListPosition } from './conversations.repository';
import { newConversation } from './new-conversation';

/** How long a new conversation's answer waits for its first entry to be readable, in milliseconds. */
const READABLE_WITHIN_MS = 250;

/** Makes conversations and shows them to their members. */
@Injectable()
export class ConversationsService {
  constructor(
    private readonly conversations: ConversationsRepository,
    private readonly accounts: AccountsRepository,
    private readonly outbox: OutboxService,
    private readonly log: LogState,
    private readonly progress: Progress,
    private readonly blocks: BlocksRepository,
    private readonly privacy: PrivacyService,
  ) {}

  /**
   * The direct conversation of two users, made when absent. Answers when its creation is in the log,
   * else throws `unavailable` after two seconds. Throws `not_found`, `invalid_request`, and, instead
   * of making one, `blocked` by who blocks the user, `not_allowed` by who admits contacts alone.
   */
  async direct(
    userId: string,
    otherId: string,
  ): Promise<{ created: boolean; conversation: Conversation; routing: ConversationRouting }> {
    if (userId === otherId) {
      throw new TidingsError('invalid_request', { detail: 'A conversation needs somebody else' });
    }
    const directKey = [userId, otherId].sort().join(',');
    let found = await this.conversations.directId(directKey);
    let created = false;
    if (!found) {
      if ((await this.accounts.byIds([userId, otherId])).length < 2) {
        throw new TidingsError('not_found');
      }
      requireUnblocked('direct.begin', await this.blocks.blocking([otherId], userId));
      await this.privacy.requireAdmitted('messages', userId, [otherId]);
      const founding = { creator: userId, memberIds: [userId, otherId], directKey };
      created = await this.conversations.create(
        newConversation({ kind: 'direct', ...founding }, (id) => this.log.partitionOf(id)),
      );
      found = await this.conversations.directId(directKey);
      if (!found) throw new TidingsError('unavailable');
    }
    if (!found.inLog) {
      const appended = await this.outbox.publish(found.id);
      // It is in the log: whether it can be read yet only makes the answer richer.
      await this.progress.wait([appended], READABLE_WITHIN_MS);
    }
    return { created, ...(await this.answer(userId, found.id)) };
  }

  /** The conversation as a member sees it. Throws `no_such_conversation`, for outsiders too. */
  async get(userId: string, conversationId: string): Promise<Conversation> {
    const conversation = await this.conversations.view(userId, conversationId);
    if (!conversation) throw new TidingsError('no_such_conversation');
    return conversation;
  }

  /** A user's conversations, newest entry first. */
  async list(
    userId: string,
    cursor: string | undefined,
    limit: number,
  ): Promise<Page<Conversation>> {
    const { rows, more } = await this.conversations.list(userId, positionOf(cursor), limit);
    const items = rows.map((row) => row.conversation);
    const last = more ? rows.at(-1) : undefined;
    if (!last) return { items };
    return { items, cursor: encodeCursor([last.at.lastAtUs, last.at.id]) };
  }

  /** Routing data of the known ones, and how far each partition is applied, in one snapshot. */
  routing(
    wanted: readonly { conversationId: string; below?: string | undefined }[],
  ): Promise<{ items: ConversationRouting[]; applied: string[] }> {
    return this.conversations.routing(this.log.topic, wanted);
  }

  private async answer(userId: string, conversationId: string) {
    const [conversation, routed] = await Promise.all([
      this.conversations.view(userId, conversationId),
      this.routing([{ conversationId }]),
    ]);
    const routing = routed.items[0];
    if (!conversation || !routing) throw new TidingsError('unavailable');
    return { conversation, routing };
  }
}

function positionOf(cursor: string | undefined): ListPosition | null {
  if (cursor === undefined) return null;
  const [lastAtUs, id] = decodeCursor(cursor, 2) as [string, string];
  if (!/^[0-9]{1,18}$/.test(lastAtUs)) throw new TidingsError('invalid_request');
  return { lastAtUs, id };
}
