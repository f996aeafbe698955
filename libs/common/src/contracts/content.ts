import { z } from 'zod';
import { conversationId, uuid } from './ids';
import { LIMITS } from './limits';
import { position } from './positions';
import { fitsBytes, isStorable } from './text';
import type { ErrorCode } from './errors';

/** Text as a client sends it. Length is judged apart ({@link contentProblem}): it has its own error. */
export const textContent = z.strictObject({ kind: z.literal('text'), text: z.string() });

/** An uploaded image; its caption is judged as a text is. */
export const imageContent = z.strictObject({
  kind: z.literal('image'),
  mediaId: uuid,
  caption: z.string().optional(),
});

/** An uploaded file under the name that people shall see: one line, no path is implied. */
export const fileContent = z.strictObject({
  kind: z.literal('file'),
  mediaId: uuid,
  name: z
    .string()
    .min(1)
    .max(LIMITS.fileNameChars)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'control characters are not allowed'),
});

/** What a client may send. */
export const content = z.discriminatedUnion('kind', [textContent, imageContent, fileContent]);
export type Content = z.infer<typeof content>;
export type MediaContent = Extract<Content, { mediaId: string }>;

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
export const sentContent = z.discriminatedUnion('kind', [textContent, sentImage, sentFile]);
export type SentContent = z.infer<typeof sentContent>;

/** Whether the server has added to a content what it knows; there is nothing to add to most kinds. */
export function isSentContent(value: Content | SentContent): value is SentContent {
  return (value.kind !== 'image' && value.kind !== 'file') || 'type' in value;
}

/** The words that people typed, which have limits in common; empty when there are none. */
export function contentText(value: Content | SentContent): string {
  if (value.kind === 'text') return value.text;
  return value.kind === 'image' ? (value.caption ?? '') : '';
}

/** What is wrong with a well-formed content, as an error code; null when it can be sent. */
export function contentProblem(value: Content): ErrorCode | null {
  const text = contentText(value);
  if (!fitsBytes(text, LIMITS.textBytes)) return 'text_too_long';
  if (!isStorable(text)) return 'invalid_request';
  return null;
}

/**
 * The text whose hash tells two contents apart under one message id. Field order is fixed here, so
 * that the same content always hashes alike.
 */
export function contentHashText(value: Content): string {
  if (value.kind === 'text') return JSON.stringify([value.kind, value.text]);
  const words = value.kind === 'image' ? (value.caption ?? null) : value.name;
  return JSON.stringify([value.kind, value.mediaId, words]);
}

/** A change of a conversation, as its event record and the `conversation` frame carry it. */
export const conversationChange = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('created'),
    conversationKind: z.enum(['direct', 'group', 'everyone']),
    userIds: z.array(uuid),
    title: z.string().optional(),
  }),
]);
export type ConversationChange = z.infer<typeof conversationChange>;

/** What a message of a history holds: a client's content, or an event written by the server. */
export const messageContent = z.discriminatedUnion('kind', [
  textContent,
  sentImage,
  sentFile,
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
