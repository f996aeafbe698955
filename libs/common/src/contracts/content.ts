import { z } from 'zod';
import { type Extras, extrasShape } from './extras';
import { conversationId, uuid } from './ids';
import { canonicalJson, isPlainJson } from './json';
import { LIMITS } from './limits';
import { position } from './positions';
import { fitsBytes, isStorable } from './text';
import type { ErrorCode } from './errors';

/** Text as a client sends it. Length is judged apart ({@link contentProblem}): it has its own error. */
export const textContent = z.strictObject({ kind: z.literal('text'), text: z.string() });

/** What an application defines for itself: any JSON. Its size is judged apart, as that of text. */
export const customContent = z.strictObject({ kind: z.literal('custom'), data: z.unknown() });

/** What a client may send. */
export const content = z.discriminatedUnion('kind', [textContent, customContent]);
export type Content = z.infer<typeof content>;

/** What is wrong with a well-formed content, as an error code; null when it can be sent. */
export function contentProblem(value: Content): ErrorCode | null {
  if (value.kind === 'custom') {
    if (!isPlainJson(value.data, LIMITS.jsonDepth)) return 'invalid_request';
    return fitsBytes(JSON.stringify(value.data), LIMITS.customBytes) ? null : 'payload_too_large';
  }
  if (!fitsBytes(value.text, LIMITS.textBytes)) return 'text_too_long';
  if (!isStorable(value.text)) return 'invalid_request';
  return null;
}

/** For people: what {@link contentProblem} or `extrasProblem` found. */
export const PROBLEM_DETAILS: Partial<Record<ErrorCode, string>> = {
  text_too_long: `text: at most ${LIMITS.textBytes} bytes`,
  payload_too_large: `data: at most ${LIMITS.customBytes} bytes of JSON, meta: ${LIMITS.metaBytes}`,
  invalid_request:
    `text: NUL and lone surrogates cannot be stored; data and meta: JSON, finite numbers, ` +
    `at most ${LIMITS.jsonDepth} levels`,
};

/**
 * The text whose hash tells two sends apart under one message id. Field order is fixed here, so
 * that the same send always hashes alike; a message without extras hashes by its content alone.
 */
export function contentHashText(value: Content, extras: Extras | null = null): string {
  const text =
    value.kind === 'custom'
      ? `["custom",${canonicalJson(value.data)}]`
      : JSON.stringify([value.kind, value.text]);
  return extras === null ? text : `${text}\n${canonicalJson(extras)}`;
}

/**
 * The text whose hash tells two changes apart under one change id. `content` null: a deletion.
 */
export function changeHashText(messageId: string, content: Content | null): string {
  return content === null
    ? `delete ${messageId}`
    : `edit ${messageId}\n${contentHashText(content)}`;
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

/** What is left of a deleted message. */
export const deletedContent = z.object({ kind: z.literal('deleted') });

/**
 * What a message of a history holds: a client's content, what a deletion leaves of it, or an event
 * written by the server.
 */
export const messageContent = z.discriminatedUnion('kind', [
  textContent,
  customContent,
  deletedContent,
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
  /** True: the content is {@link deletedContent}, the extras are gone. */
  deleted: z.boolean().optional(),
  ...extrasShape,
});
export type Message = z.infer<typeof message>;
