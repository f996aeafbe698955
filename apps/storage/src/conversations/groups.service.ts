import { Injectable } from '@nestjs/common';
import type { MemberRole } from '@tidings/protocol/content';
import { type BlockAct, requireUnblocked } from '@tidings/protocol/blocks';
import { TidingsError } from '@tidings/protocol/errors';
import type {
  ChangedConversation,
  Conversation,
  ConversationPatch,
  GroupBody,
  Member,
  Page,
} from '@tidings/protocol/http';
import { uuid } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { BlocksRepository } from '../blocks/blocks.repository';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import {
  addMembers,
  type GroupChange,
  patch,
  removeMember,
  setRole,
  Unsettled,
} from '../domain/group-rules';
import { Turns } from '../domain/turns';
import { LogState } from '../log/log-state';
import { Progress } from '../log/progress';
import { OutboxService, PUBLISH_WITHIN_MS } from '../outbox/outbox.service';
import { PrivacyService } from '../privacy/privacy.service';
import { ConversationsRepository } from './conversations.repository';
import { GroupsRepository, type LockedGroup } from './groups.repository';
import { newConversation } from './new-conversation';
import { pause } from '@tidings/common/runtime/waiting';

/** How long a new group's answer waits for its first entry to be readable, in milliseconds. */
const READABLE_WITHIN_MS = 250;
/** Pause before looking again for a position that the batch writer fills in. */
const LOOK_AGAIN_MS = 15;

/** Where a request stands: who asks, and for which conversation. */
interface Asked {
  userId: string;
  conversationId: string;
}

/**
 * Groups and their changes. Every change is an entry of the conversation and answered once that is
 * in the log, else `unavailable`: then it is kept and appended later. Outsiders get
 * `no_such_conversation`.
 */
@Injectable()
export class GroupsService {
  private readonly turns = new Turns();

  constructor(
    private readonly groups: GroupsRepository,
    private readonly conversations: ConversationsRepository,
    private readonly outbox: OutboxService,
    private readonly log: LogState,
    private readonly progress: Progress,
    private readonly blocks: BlocksRepository,
    private readonly privacy: PrivacyService,
  ) {}

  /**
   * The group that this user makes under this request id; the one that was made before, whatever is
   * asked now. Throws `not_found`, `group_full`, `blocked`, `not_allowed`.
   */
  async create(
    founder: Omit<GroupBody, 'kind'> & { userId: string },
  ): Promise<{ created: boolean; conversation: Conversation }> {
    const { userId, requestId, userIds, ...rest } = founder;
    let found = await this.conversations.requestedId(userId, requestId);
    let created = false;
    if (!found) {
      const memberIds = [...new Set([userId, ...userIds])];
      if (memberIds.length > LIMITS.groupMembers) throw new TidingsError('group_full');
      if (!(await this.groups.allExist(memberIds))) throw new TidingsError('not_found');
      await this.requireWelcome('group.create', userId, memberIds);
      const founding = { ...rest, kind: 'group' as const, creator: userId, memberIds, requestId };
      created = await this.conversations.create(
        newConversation(founding, (id) => this.log.partitionOf(id)),
      );
      found = await this.conversations.requestedId(userId, requestId);
      if (!found) throw new TidingsError('unavailable');
    }
    if (!found.inLog) {
      const published = await this.outbox.publish(found.id);
      await this.progress.wait([published], READABLE_WITHIN_MS);
    }
    return { created, conversation: await this.view(userId, found.id) };
  }

  /** Throws `not_allowed`, `blocked` (direct). */
  patch({
    title,
    messageTtlSeconds,
    ...asked
  }: Asked & ConversationPatch): Promise<ChangedConversation> {
    return this.changed(asked, [], async (group) => {
      const change = patch(group, { title, messageTtlSeconds });
      if (group.kind === 'direct') requireUnblocked('direct.lifetime', await group.blockedBy());
      return change;
    });
  }

  /**
   * Adds members; who is there already stays as he is. Throws `not_allowed`, `not_found`,
   * `group_full`, `blocked`.
   */
  async add({
    memberIds,
    ...asked
  }: Asked & { memberIds: string[] }): Promise<ChangedConversation> {
    const wanted = [...new Set(memberIds)];
    return this.changed(asked, wanted, async (group) => {
      const change = addMembers(group, await group.size());
      if (change.add && !(await group.allExist(change.add))) throw new TidingsError('not_found');
      if (change.add) await this.requireWelcome('group.add', asked.userId, change.add);
      return change;
    });
  }

  /** Removes a member, or leaves. Throws `not_allowed`, `not_found`. */
  async remove({ memberId, ...asked }: Asked & { memberId: string }): Promise<void> {
    await this.apply(asked, [memberId], async (group) => {
      const { userId, role } = group.actor;
      const heir = userId === memberId && role === 'owner' ? await group.heir(userId) : null;
      return removeMember(group, heir);
    });
  }

  /** Throws `not_allowed`, `not_found`. */
  role({
    memberId,
    role,
    ...asked
  }: Asked & { memberId: string; role: MemberRole }): Promise<ChangedConversation> {
    return this.changed(asked, [memberId], (group) => setRole(group, role));
  }

  /** Throws `blocked` or `not_allowed` when any of the others refuses to be met by the user in a group. */
  private async requireWelcome(
    act: BlockAct,
    userId: string,
    otherIds: readonly string[],
  ): Promise<void> {
    requireUnblocked(act, await this.blocks.blocking(otherIds, userId));
    await this.privacy.requireAdmitted('groups', userId, otherIds);
  }

  /** Members by id. */
  async members({
    userId,
    conversationId,
    cursor,
    limit,
  }: Asked & { cursor?: string; limit: number }): Promise<Page<Member>> {
    const after = cursor === undefined ? null : memberOf(cursor);
    if (!(await this.groups.isMember(userId, conversationId))) {
      throw new TidingsError('no_such_conversation');
    }
    const rows = await this.groups.members(userId, conversationId, after, limit + 1);
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    if (rows.length <= limit || !last) return { items };
    return { items, cursor: encodeCursor([last.userId]) };
  }

  private async changed(
    asked: Asked,
    targetIds: readonly string[],
    decide: (group: LockedGroup) => GroupChange | Promise<GroupChange>,
  ): Promise<ChangedConversation> {
    const position = await this.apply(asked, targetIds, decide);
    const conversation = await this.view(asked.userId, asked.conversationId);
    return { ...conversation, ...(position !== null && { position }) };
  }

  /** Decides, writes and publishes; position of the last change, null when nothing had to change. */
  private async apply(
    { userId, conversationId }: Asked,
    targetIds: readonly string[],
    decide: (group: LockedGroup) => GroupChange | Promise<GroupChange>,
  ): Promise<string | null> {
    const deadline = performance.now() + PUBLISH_WITHIN_MS;
    const request = { actorId: userId, conversationId, targetIds };
    await this.groups.requireKnown(userId, conversationId);
    for (;;) {
      try {
        const left = deadline - performance.now();
        const turn = { key: conversationId, caller: userId };
        const messageIds = await this.turns.take(turn, left, () =>
          this.groups.change(request, decide),
        );
        return await this.published(conversationId, messageIds.at(-1), deadline);
      } catch (error) {
        if (!(error instanceof Unsettled)) throw error;
        if (performance.now() > deadline) throw new TidingsError('unavailable', { cause: error });
        await this.outbox.publish(conversationId);
      }
    }
  }

  /** Waits until everything that is open is in the log; `messageId`: whose position is wanted. */
  private async published(
    conversationId: string,
    messageId: string | undefined,
    deadline: number,
  ): Promise<string | null> {
    const { positions } = await this.outbox.publish(conversationId);
    if (messageId === undefined) return null;
    const known = positions.get(messageId);
    if (known !== undefined) return String(known);
    for (;;) {
      const position = await this.groups.positionOf(conversationId, messageId);
      if (position !== null) return position;
      if (performance.now() > deadline) {
        throw new TidingsError('unavailable', { detail: 'The change is made, but not stored yet' });
      }
      await pause(LOOK_AGAIN_MS);
    }
  }

  private async view(userId: string, conversationId: string): Promise<Conversation> {
    const conversation = await this.conversations.view(userId, conversationId);
    if (!conversation) throw new TidingsError('no_such_conversation');
    return conversation;
  }
}

function memberOf(cursor: string): string {
  const parsed = uuid.safeParse(decodeCursor(cursor, 1)[0]);
  if (!parsed.success)
    throw new TidingsError('invalid_request', { detail: 'cursor: not one of ours' });
  return parsed.data;
}
