import { z } from 'zod';
import { type Extras, extrasShape } from './extras';
import { conversationId, uuid } from './ids';
import { canonicalJson, isPlainJson } from './json';
import { LIMITS } from './limits';
import { position } from './positions';
import { fitsBytes, isPlainLine, isStorable, isVisible } from './text';
import type { ErrorCode } from './errors';

/**
 * Text as a client sends it. Its length is checked separately ({@link contentProblem}), with an
 * error of its own.
 */
export const textContent = z.strictObject({ kind: z.literal('text'), text: z.string() });

/** An uploaded image. Its caption is checked like a text. */
const imageContent = z.strictObject({
  kind: z.literal('image'),
  mediaId: uuid,
  caption: z.string().optional(),
});

/** An uploaded file, with the name that people see: one line, never a path. */
const fileContent = z.strictObject({
  kind: z.literal('file'),
  mediaId: uuid,
  name: z
    .string()
    .min(1)
    .max(LIMITS.fileNameChars)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'control characters are not allowed'),
});

/**
 * Content that an application defines: any JSON. Its size is checked separately, like that of a
 * text.
 */
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
/** What may replace a message's content: its shape is all that needs checking. */
export type EditableContent = Exclude<Content, MediaContent>;

/** Whether a message may be edited to become this. */
export function isEditable(value: Content): value is EditableContent {
  return value.kind === 'text' || value.kind === 'custom';
}

/**
 * What the server adds to an image or a file: MIME type and bytes; for an image also its size in
 * pixels, as shown.
 */
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

/** Whether the server has added what it knows to a content. Most kinds need nothing added. */
export function isSentContent(value: Content | SentContent): value is SentContent {
  if (value.kind === 'text' || value.kind === 'custom') return true;
  return 'type' in value;
}

/** The words that people typed, which share one limit; empty when there are none. */
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

/** What is wrong with a well-formed content, as an error code; null when it may be sent. */
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

/** What {@link contentProblem} or `extrasProblem` found, as a sentence for people. */
export const PROBLEM_DETAILS: Partial<Record<ErrorCode, string>> = {
  text_too_long: `text: at most ${LIMITS.textBytes} bytes`,
  payload_too_large: `data: at most ${LIMITS.customBytes} bytes of JSON, meta: ${LIMITS.metaBytes}`,
  invalid_request:
    `text: something to see is needed; NUL and lone surrogates cannot be stored; name: no hidden ` +
    `characters; data and meta: JSON, finite numbers, ` +
    `at most ${LIMITS.jsonDepth} levels`,
};

/**
 * The text whose hash tells apart two sends with the same message id. The order of fields is fixed
 * here, so that the same send always has the same hash. Without extras only the content is hashed.
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
 * The text whose hash tells apart two changes with the same change id. `content` null: a deletion.
 */
export function changeHashText(messageId: string, content: Content | null): string {
  return content === null
    ? `delete ${messageId}`
    : `edit ${messageId}\n${contentHashText(content)}`;
}

/**
 * What members who are added later can see: entries from their joining on, or the whole history.
 */
export const historyMode = z.enum(['joined', 'all']);
export type HistoryMode = z.infer<typeof historyMode>;

/** A member's role in a group. */
export const memberRole = z.enum(['owner', 'admin', 'member']);
export type MemberRole = z.infer<typeof memberRole>;

export const conversationKind = z.enum(['direct', 'group', 'everyone']);
export type ConversationKind = z.infer<typeof conversationKind>;

/** A change of a conversation, as its event record and the `conversation` frame carry it. */
export const conversationChange = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('created'),
    conversationKind,
    /** Everybody the conversation was created with. */
    userIds: z.array(uuid),
    title: z.string().optional(),
    messageTtlSeconds: z.number().int().optional(),
    history: historyMode.optional(),
  }),
  z.object({ kind: z.literal('title'), title: z.string() }),
  z.object({ kind: z.literal('ttl'), messageTtlSeconds: z.number().int().nullable() }),
  z.object({ kind: z.literal('added'), userIds: z.array(uuid), history: historyMode }),
  /** `owner`: the new owner of the group, when its owner left. */
  z.object({ kind: z.literal('removed'), userIds: z.array(uuid), owner: uuid.optional() }),
  /** A new owner; the previous one is now an admin. */
  z.object({ kind: z.literal('role'), userId: uuid, role: memberRole }),
]);
export type ConversationChange = z.infer<typeof conversationChange>;

/** What remains of a deleted message. */
export const deletedContent = z.object({ kind: z.literal('deleted') });

/**
 * The content of an entry in a history: a client's content, what remains after a deletion, or an
 * event written by the server.
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

/**
 * One entry in a conversation's history. `position` is that of its first append and never changes.
 */
export const message = z.object({
  conversationId,
  position,
  messageId: uuid,
  senderId: uuid,
  content: messageContent,
  /**
   * ISO 8601 UTC, the gateway's clock at the first append. For display only; it does not define the
   * order.
   */
  sentAt: z.string(),
  /** Position of the last applied change; "0" for none. */
  version: position,
  expiresAt: z.string().optional(),
  /** True: the content is {@link deletedContent} and the extras are gone. */
  deleted: z.boolean().optional(),
  ...extrasShape,
});
export type Message = z.infer<typeof message>;
