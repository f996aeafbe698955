import { z } from 'zod';
import { conversationId, uuid } from './ids';
import { LIMITS } from './limits';
import { position } from './positions';
import { fitsBytes, isStorable } from './text';
import type { ErrorCode } from './errors';

/** Text as a client sends it. Length is judged apart ({@link contentProblem}): it has its own error. */
export const textContent = z.strictObject({ kind: z.literal('text'), text: z.string() });

/** What a client may send. */
export const content = z.discriminatedUnion('kind', [textContent]);
export type Content = z.infer<typeof content>;

/** What is wrong with a well-formed content, as an error code; null when it can be sent. */
export function contentProblem(value: Content): ErrorCode | null {
  if (!fitsBytes(value.text, LIMITS.textBytes)) return 'text_too_long';
  if (!isStorable(value.text)) return 'invalid_request';
  return null;
}

/**
 * The text whose hash tells two contents apart under one message id. Field order is fixed here, so
 * that the same content always hashes alike.
 */
export function contentHashText(value: Content): string {
  return JSON.stringify([value.kind, value.text]);
}

/** What members who are added later see: entries from their joining on, or the whole history. */
export const historyMode = z.enum(['joined', 'all']);
export type HistoryMode = z.infer<typeof historyMode>;

/** A member's rank in a group. */
export const memberRole = z.enum(['owner', 'admin', 'member']);
export type MemberRole = z.infer<typeof memberRole>;

/** A change of a conversation, as its event record and the `conversation` frame carry it. */
export const conversationChange = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('created'),
    conversationKind: z.enum(['direct', 'group', 'everyone']),
    /** All founders. */
    userIds: z.array(uuid),
    title: z.string().optional(),
    messageTtlSeconds: z.number().int().optional(),
    history: historyMode.optional(),
  }),
  z.object({ kind: z.literal('title'), title: z.string() }),
  z.object({ kind: z.literal('ttl'), messageTtlSeconds: z.number().int().nullable() }),
  z.object({ kind: z.literal('added'), userIds: z.array(uuid), history: historyMode }),
  /** `owner`: whom the group was passed on to, when its owner left. */
  z.object({ kind: z.literal('removed'), userIds: z.array(uuid), owner: uuid.optional() }),
  /** A new owner: the one before is an admin from now on. */
  z.object({ kind: z.literal('role'), userId: uuid, role: memberRole }),
]);
export type ConversationChange = z.infer<typeof conversationChange>;

/** What a message of a history holds: a client's content, or an event written by the server. */
export const messageContent = z.discriminatedUnion('kind', [
  textContent,
  z.object({ kind: z.literal('event'), event: conversationChange }),
]);
export type MessageContent = z.infer<typeof messageContent>;

/** One entry of a conversation's history. `position` is that of its first append and never moves. */
export const message = z.object({
  conversationId,
  position,
  messageId: uuid,
  senderId: uuid,
  content: messageContent,
  /** ISO 8601 UTC: the gateway's clock at the first append; decoration, never order. */
  sentAt: z.string(),
  /** Position of the last applied change, "0" for none. */
  version: position,
  expiresAt: z.string().optional(),
  deleted: z.boolean().optional(),
});
export type Message = z.infer<typeof message>;
