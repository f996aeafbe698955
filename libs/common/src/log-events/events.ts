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
  senderId: uuid.meta({ description: 'author of the message' }),
  sentAt: z.string().meta({ description: 'ISO 8601, the clock of the gateway' }),
  expiresAt: z.string().meta({ description: 'end of its life' }).optional(),
  ...extrasShape,
};

export const messageSent = z
  .object({
    ...messageShape,
    deviceId: uuid,
    content: sentContent,
    contentHash,
  })
  .meta({ description: 'A message was accepted by a gateway.' });
export type MessageSent = z.infer<typeof messageSent>;

export const messageChanged = z
  .object({
    ...messageShape,
    changeId: uuid,
    userId: uuid.meta({ description: 'who changed it' }),
    deviceId: uuid.meta({ description: 'on which device' }),
    changeHash: contentHash.meta({ description: 'of what was asked for (`changeHashText`)' }),
    position: position.meta({ description: 'position of the message' }),
    content: z.discriminatedUnion('kind', [textContent, customContent, deletedContent]),
  })
  .meta({
    description:
      'A message was edited or deleted. The record carries the message as it is afterwards, so that no reader looks anything up; its own position becomes the version of the message.',
  });
export type MessageChanged = z.infer<typeof messageChanged>;

const conversationChanged = z
  .object({
    conversationId,
    messageId: uuid,
    senderId: uuid,
    sentAt: z.string(),
    version: z
      .number()
      .int()
      .positive()
      .meta({ description: 'version of the conversation after the change; rises by one' }),
    kind: conversationKind,
    members: z.array(uuid).meta({
      description:
        'all members after the change when they are few (`LIMITS.membersInline`), else none',
    }),
    change: conversationChange,
  })
  .meta({ description: 'A conversation was created or changed.' });
export type ConversationChanged = z.infer<typeof conversationChanged>;

const receiptMarked = z
  .object({
    conversationId,
    userId: uuid,
    deviceId: uuid,
    delivered: position.optional(),
    read: position.optional(),
    at: z.string(),
  })
  .meta({
    description:
      'A device has received or read a conversation up to a position: watermarks, merged by maximum.',
  });
export type ReceiptMarked = z.infer<typeof receiptMarked>;

const connectionOpened = z
  .object({
    userId: uuid,
    deviceId: uuid,
    connectionId: z.string(),
    gatewayId: z.string(),
    bootId: z.string(),
    generation: z.string(),
    at: z.string(),
  })
  .meta({ description: "A device's socket is open and its route is written." });
export type ConnectionOpened = z.infer<typeof connectionOpened>;

const connectionClosed = connectionOpened
  .extend({
    reason: z.enum(['client', 'server', 'lost', 'replaced']),
  })
  .meta({ description: "A device's socket has ended." });
export type ConnectionClosed = z.infer<typeof connectionClosed>;

const typingChanged = z
  .object({
    conversationId,
    userId: uuid,
    active: z.boolean(),
    at: z.string(),
  })
  .meta({ description: 'Somebody writes, or has stopped.' });
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
