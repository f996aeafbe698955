import type { HistoryMode } from '@tidings/protocol/content';
import type { ConversationChanged } from '@tidings/common/log-events/events';
import type { ConversationKind } from '@tidings/protocol/content';
import { makeConversationId } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { uuidv7 } from 'uuidv7';
import { sha256 } from '../messages/message.mapper';
import type { NewConversation } from './conversations.repository';

/** What a conversation is made from; only groups have more than kind, creator and members. */
export interface Founding {
  kind: ConversationKind;
  creator: string;
  /** With the creator, each once. */
  memberIds: string[];
  directKey?: string;
  requestId?: string;
  title?: string;
  messageTtlSeconds?: number;
  history?: HistoryMode;
}

/** A conversation that begins now, with the event of its creation. */
export function newConversation(
  founding: Founding,
  partitionOf: (conversationId: string) => number,
): NewConversation {
  const { kind, creator, memberIds, directKey, requestId, title, messageTtlSeconds } = founding;
  const { history = 'joined' } = founding;
  const createdAt = new Date();
  const id = makeConversationId(sha256, createdAt.getTime(), memberIds, requestId);
  const messageId = uuidv7();
  const group = kind === 'group' && { title, messageTtlSeconds, history };
  const event: ConversationChanged = {
    conversationId: id,
    messageId,
    senderId: creator,
    sentAt: createdAt.toISOString(),
    version: 1,
    kind,
    members: memberIds.length < LIMITS.membersInline ? memberIds : [],
    change: { kind: 'created', conversationKind: kind, userIds: memberIds, ...group },
  };
  return {
    id,
    kind,
    createdAt,
    createdBy: creator,
    memberIds,
    history,
    directKey: directKey ?? null,
    requestId: requestId ?? null,
    title: title ?? null,
    messageTtlSeconds: messageTtlSeconds ?? null,
    partition: partitionOf(id),
    ownerId: kind === 'group' ? creator : null,
    event: { messageId, json: JSON.stringify(event) },
  };
}
