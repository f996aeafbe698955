import { z } from 'zod';
import { type Extras, extrasShape } from './extras';
import { conversationId, uuid } from './ids';
import { canonicalJson, isPlainJson } from './json';
import { LIMITS } from './limits';
import { position } from './positions';
import { fitsBytes, isPlainLine, isStorable, isVisible } from './text';
import type { ErrorCode } from './errors';

/** Text as a client sends it. Length is judged apart ({@link contentProblem}): it has its own error. */
export const textContent = z.strictObject({ kind: z.literal('text'), text: z.string() });

/** An uploaded image; its caption is judged as a text is. */
const imageContent = z.strictObject({
  kind: z.literal('image'),
  mediaId: uuid,
  caption: z.string().optional(),
});

/** An uploaded file under the name that people shall see: one line, no path is implied. */
const fileContent = z.strictObject({
  kind: z.literal('file'),
  mediaId: uuid,
  name: z
    .string()
    .min(1)
    .max(LIMITS.fileNameChars)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'control characters are not allowed'),
});

/** What an application defines for itself: any JSON. Its size is judged apart, as that of text. */
export const customContent = z.strictObject({ kind: z.literal('custom'), data: z.unknown() });

/** What a client may send. */
export const content = z.discriminatedUnion('kind', [
  textContent,
  imageContent,
  fileContent,
  customContent,
]);
export type Content = z.infer<typeof content>;
type MediaContent = Extract<Content, { mediaId: string }>;
/** What may take the place of a message's content: it needs no other check than its shape. */
export type EditableContent = Exclude<Content, MediaContent>;

/** Whether a message may be edited to become this. */
export function isEditable(value: Content): value is EditableContent {
  return value.kind === 'text' || value.kind === 'custom';
}

/** What the server adds to an image or a file: MIME type and bytes, an image's pixels as shown. */
const imageFacts = z.object({
  type: z.string(),
  size: z.number().int(),
  width: z.number().int(),
  height: z.number().int(),
});
const fileFacts = imageFacts.pick({ type: true, size: true });

const sentImage = imageContent.extend(imageFacts.shape);
const sentFile = fileContent.extend(fileFacts.shape);

/** A client's content as it is logged and delivered. */
export const sentContent = z.discriminatedUnion('kind', [
  textContent,
  sentImage,
  sentFile,
  customContent,
]);
export type SentContent = z.infer<typeof sentContent>;

/** Whether the server has added to a content what it knows; there is nothing to add to most kinds. */
export function isSentContent(value: Content | SentContent): value is SentContent {
  if (value.kind === 'text' || value.kind === 'custom') return true;
  return 'type' in value;
}

/** The words that people typed, which have limits in common; empty when there are none. */
export function contentText(value: Content | SentContent): string {
  switch (value.kind) {
    case 'text':
      return value.text;
    case 'image':
      return value.caption ?? '';
    case 'file':
    case 'custom':
      return '';
  }
}

/** What is wrong with a well-formed content, as an error code; null when it can be sent. */
export function contentProblem(value: Content): ErrorCode | null {
  if (value.kind === 'custom') {
    if (!isPlainJson(value.data, LIMITS.jsonDepth)) return 'invalid_request';
    return fitsBytes(JSON.stringify(value.data), LIMITS.customBytes) ? null : 'payload_too_large';
  }
  const text = contentText(value);
  if (!fitsBytes(text, LIMITS.textBytes)) return 'text_too_long';
  if (!isStorable(text)) return 'invalid_request';
  if (value.kind === 'text' && !isVisible(text)) return 'invalid_request';
  if (value.kind === 'file' && !(isPlainLine(value.name) && isVisible(value.name))) {
    return 'invalid_request';
  }
  return null;
}

/** For people: what {@link contentProblem} or `extrasProblem` found. */
export const PROBLEM_DETAILS: Partial<Record<ErrorCode, string>> = {
  text_too_long: `text: at most ${LIMITS.textBytes} bytes`,
  payload_too_large: `data: at most ${LIMITS.customBytes} bytes of JSON, meta: ${LIMITS.metaBytes}`,
  invalid_request:
    `text: something to see is needed; NUL and lone surrogates cannot be stored; name: no hidden ` +
    `characters; data and meta: JSON, finite numbers, ` +
    `at most ${LIMITS.jsonDepth} levels`,
};

/**
 * The text whose hash tells two sends apart under one message id. Field order is fixed here, so
 * that the same send always hashes alike; a message without extras hashes by its content alone.
 */
export function contentHashText(value: Content, extras: Extras | null = null): string {
  const text = kindHashText(value);
  return extras === null ? text : `${text}\n${canonicalJson(extras)}`;
}

/** What the server adds to an image or a file is left out: it follows from the id. */
function kindHashText(value: Content): string {
  switch (value.kind) {
    case 'text':
      return JSON.stringify([value.kind, value.text]);
    case 'image':
      return JSON.stringify([value.kind, value.mediaId, value.caption ?? null]);
    case 'file':
      return JSON.stringify([value.kind, value.mediaId, value.name]);
    case 'custom':
      return `["custom",${canonicalJson(value.data)}]`;
  }
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

export const conversationKind = z.enum(['direct', 'group', 'everyone']);
export type ConversationKind = z.infer<typeof conversationKind>;

/** A change of a conversation, as its event record and the `conversation` frame carry it. */
export const conversationChange = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('created'),
    conversationKind,
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
const messageContent = z.discriminatedUnion('kind', [
  textContent,
  sentImage,
  sentFile,
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
