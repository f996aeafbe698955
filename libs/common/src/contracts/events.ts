import { z } from 'zod';
import { conversationChange, sentContent } from './content';
import { conversationId, uuid } from './ids';
import { TOPICS } from './topics';

/** `ce_type` of every record (CloudEvents 1.0, Kafka binding, binary mode). */
export const EVENT_TYPES = {
  messageSent: 'tidings.message.sent.v1',
  conversationChanged: 'tidings.conversation.changed.v1',
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

export const conversationKind = z.enum(['direct', 'group', 'everyone']);
export type ConversationKind = z.infer<typeof conversationKind>;

/** base64url of the first 16 bytes of SHA-256 over `contentHashText`. */
export const contentHash = z.string().regex(/^[A-Za-z0-9_-]{22}$/);

/** A message was accepted by a gateway. Topic `chat.messages.v1`, key: conversation id. */
export const messageSent = z.object({
  conversationId,
  messageId: uuid,
  senderId: uuid,
  deviceId: uuid,
  content: sentContent,
  contentHash,
  sentAt: z.string(),
  expiresAt: z.string().optional(),
});
export type MessageSent = z.infer<typeof messageSent>;

/**
 * A conversation was created or changed. Topic `chat.messages.v1`, key: conversation id. `members`
 * are all member ids after the change (up to 32), so that routing needs no look-up.
 */
export const conversationChanged = z.object({
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

/** A device's socket is open and its route written. Topic `chat.presence.v1`, key: user id. */
export const connectionOpened = z.object({
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
export const connectionClosed = connectionOpened.extend({
  reason: z.enum(['client', 'server', 'lost', 'replaced']),
});
export type ConnectionClosed = z.infer<typeof connectionClosed>;

/** Which schema a record's value has, by topic and type. Other types are not ours. */
export const EVENT_SCHEMAS = {
  [TOPICS.messages]: {
    [EVENT_TYPES.messageSent]: messageSent,
    [EVENT_TYPES.conversationChanged]: conversationChanged,
  },
  [TOPICS.presence]: {
    [EVENT_TYPES.connectionOpened]: connectionOpened,
    [EVENT_TYPES.connectionClosed]: connectionClosed,
  },
} as const;
