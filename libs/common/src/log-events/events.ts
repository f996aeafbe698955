import { z } from 'zod';
import {
  conversationChange,
  conversationKind,
  customContent,
  deletedContent,
  sentContent,
  textContent,
} from '@tidings/protocol/content';
import { extrasShape } from '@tidings/protocol/extras';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { position } from '@tidings/protocol/positions';
import { TOPICS } from './topics';

/** `ce_type` of every record (CloudEvents 1.0, Kafka binding, binary mode). */
export const EVENT_TYPES = {
  messageSent: 'tidings.message.sent.v1',
  messageChanged: 'tidings.message.changed.v1',
  conversationChanged: 'tidings.conversation.changed.v1',
  receipt: 'tidings.receipt.v1',
  typing: 'tidings.typing.v1',
  connectionOpened: 'tidings.connection.opened.v1',
  connectionClosed: 'tidings.connection.closed.v1',
} as const;

/** Header names of a record, beside CloudEvents' own `ce_*`. */
export const RECORD_HEADERS = {
  specVersion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  contentType: 'content-type',
  /** Log epoch: raised by an operator when a log was recreated. */
  epoch: 'epoch',
  /** "1" on a record that may have been appended before. */
  again: 'again',
} as const;

/** base64url of the first 16 bytes of SHA-256 over `contentHashText`. */
export const contentHash = z.string().regex(/^[A-Za-z0-9_-]{22}$/);

/** Of a message whose life was over before it came into the log: nothing of it is left to be hashed. */
export const NO_CONTENT_HASH = 'A'.repeat(22);

/** Whether two hashes may be of one content. */
export function mayBeSameHash(one: string, other: string): boolean {
  return one === other || one === NO_CONTENT_HASH || other === NO_CONTENT_HASH;
}

/** What records say of a message, whether it is new or changed. */
const messageShape = {
  conversationId,
  messageId: uuid,
  /** Author of the message. */
  senderId: uuid,
  sentAt: z.string(),
  expiresAt: z.string().optional(),
  ...extrasShape,
};

/** A message was accepted by a gateway. Topic `chat.messages.v1`, key: conversation id. */
export const messageSent = z.object({
  ...messageShape,
  deviceId: uuid,
  content: sentContent,
  contentHash,
});
export type MessageSent = z.infer<typeof messageSent>;

/**
 * A message was edited or deleted. Topic `chat.messages.v1`, key: conversation id, `ce_id`: change
 * id. It carries the message as it is afterwards, so that no reader looks anything up; the record's
 * own position becomes its version.
 */
export const messageChanged = z.object({
  ...messageShape,
  changeId: uuid,
  /** Who changed it, and on which device. */
  userId: uuid,
  deviceId: uuid,
  /** Hash of `changeHashText`: what was asked for. */
  changeHash: contentHash,
  /** Position of the message. */
  position,
  content: z.discriminatedUnion('kind', [textContent, customContent, deletedContent]),
});
export type MessageChanged = z.infer<typeof messageChanged>;

/**
 * A conversation was created or changed. Topic `chat.messages.v1`, key: conversation id. `members`
 * are all member ids after the change when they are fewer than `LIMITS.membersInline`, else none:
 * the change itself tells what it did.
 */
const conversationChanged = z.object({
  conversationId,
  messageId: uuid,
  senderId: uuid,
  sentAt: z.string(),
  /** Version of the conversation after the change; rises by one. */
  version: z.number().int().positive(),
  kind: conversationKind,
  members: z.array(uuid),
  change: conversationChange,
});
export type ConversationChanged = z.infer<typeof conversationChanged>;

/**
 * A device has received or read a conversation up to a position (watermarks; merged by maximum).
 * Topic `chat.receipts.v1`, key: conversation id.
 */
const receiptMarked = z.object({
  conversationId,
  userId: uuid,
  deviceId: uuid,
  delivered: position.optional(),
  read: position.optional(),
  at: z.string(),
});
export type ReceiptMarked = z.infer<typeof receiptMarked>;

/** A device's socket is open and its route written. Topic `chat.presence.v1`, key: user id. */
const connectionOpened = z.object({
  userId: uuid,
  deviceId: uuid,
  connectionId: z.string(),
  gatewayId: z.string(),
  bootId: z.string(),
  generation: z.string(),
  at: z.string(),
});
export type ConnectionOpened = z.infer<typeof connectionOpened>;

/** A device's socket has ended. Topic `chat.presence.v1`, key: user id. */
const connectionClosed = connectionOpened.extend({
  reason: z.enum(['client', 'server', 'lost', 'replaced']),
});
export type ConnectionClosed = z.infer<typeof connectionClosed>;

/** Somebody writes, or stopped. Topic `chat.signals.v1`, key: conversation id. */
const typingChanged = z.object({
  conversationId,
  userId: uuid,
  active: z.boolean(),
  at: z.string(),
});
export type TypingChanged = z.infer<typeof typingChanged>;

/** Which schema a record's value has, by topic and type. Other types are not ours. */
export const EVENT_SCHEMAS = {
  [TOPICS.messages]: {
    [EVENT_TYPES.messageSent]: messageSent,
    [EVENT_TYPES.messageChanged]: messageChanged,
    [EVENT_TYPES.conversationChanged]: conversationChanged,
  },
  [TOPICS.receipts]: {
    [EVENT_TYPES.receipt]: receiptMarked,
  },
  [TOPICS.signals]: {
    [EVENT_TYPES.typing]: typingChanged,
  },
  [TOPICS.presence]: {
    [EVENT_TYPES.connectionOpened]: connectionOpened,
    [EVENT_TYPES.connectionClosed]: connectionClosed,
  },
} as const;
