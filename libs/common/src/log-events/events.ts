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
import { presence } from '@tidings/protocol/http';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { position } from '@tidings/protocol/positions';
import { activityFrame, stateFrame } from '@tidings/protocol/presence';
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
  connectionLost: 'tidings.connection.lost.v1',
  activity: 'tidings.activity.v1',
  presenceChanged: 'tidings.presence.changed.v1',
} as const;

/** Header names of a record, besides CloudEvents' own `ce_*`. */
export const RECORD_HEADERS = {
  specVersion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  contentType: 'content-type',
  /** Log epoch. An operator raises it when a log was recreated. */
  epoch: 'epoch',
  /** "1" on a record that may have been appended before. */
  again: 'again',
} as const;

/** base64url of the first 16 bytes of SHA-256 over `contentHashText`. */
export const contentHash = z.string().regex(/^[A-Za-z0-9_-]{22}$/);

/** For a message that expired before it reached the log: nothing of it is left to hash. */
export const NO_CONTENT_HASH = 'A'.repeat(22);

/** Whether two hashes may belong to the same content. */
export function mayBeSameHash(one: string, other: string): boolean {
  return one === other || one === NO_CONTENT_HASH || other === NO_CONTENT_HASH;
}

/** What records say about a message, whether it is new or changed. */
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

/** No event refers to anything longer ago than this, in milliseconds. */
const MAX_AGO_MS = 366 * 24 * 3600 * 1000;

/** Which connection an event is about, and what its gateway knows about its user. */
const connectionShape = {
  userId: uuid,
  deviceId: uuid,
  connectionId: z.string(),
  gatewayId: z.string(),
  bootId: z.string(),
  generation: z.string(),
  at: z.string(),
  mode: stateFrame.shape.mode.optional().meta({
    description: 'what the app said last of where it is; left out: nothing',
  }),
  activeMsAgo: z
    .number()
    .int()
    .nonnegative()
    .max(MAX_AGO_MS)
    .optional()
    .meta({ description: 'how long before this event its user did something last, milliseconds' }),
};

const connectionOpened = z
  .object({
    ...connectionShape,
    again: z.literal(true).optional().meta({
      description: 'it has been open for a while: Redis may have lost what was told of it',
    }),
  })
  .meta({ description: "A device's socket is open and its route is written." });
export type ConnectionOpened = z.infer<typeof connectionOpened>;

const connectionClosed = z
  .object({
    ...connectionShape,
    reason: z.enum(['client', 'server', 'lost', 'replaced', 'ended']).meta({
      description:
        '`client`, `ended` (its login is over): the device has left; `server`, `lost`: it may come back; `replaced`: it is connected elsewhere',
    }),
    silentMs: z
      .number()
      .int()
      .nonnegative()
      .max(MAX_AGO_MS)
      .optional()
      .meta({ description: 'how long before this event its last sign of life came, milliseconds' }),
  })
  .meta({ description: "A device's socket has ended." });
export type ConnectionClosed = z.infer<typeof connectionClosed>;

const connectionLost = z
  .object({
    userId: uuid,
    gatewayId: z.string(),
    bootId: z.string(),
    at: z.string().meta({ description: "last sign of life of the gateway, by Redis' clock" }),
  })
  .meta({ description: "The gateway of a user's sockets is gone: its lease has lapsed." });
export type ConnectionLost = z.infer<typeof connectionLost>;

const activity = z
  .object({ ...connectionShape, kind: activityFrame.shape.kind })
  .meta({ description: 'A user, or only the app, did something on a connected device.' });
export type Activity = z.infer<typeof activity>;

const presenceChanged = presence.meta({
  description: 'Others are to be told this of a user from now on; the highest version counts.',
});
export type PresenceChanged = z.infer<typeof presenceChanged>;

const typingChanged = z
  .object({
    conversationId,
    userId: uuid,
    active: z.boolean(),
    at: z.string(),
  })
  .meta({ description: 'Somebody writes, or has stopped.' });
export type TypingChanged = z.infer<typeof typingChanged>;

/** The schema of a record's value, by topic and type. Other types are not ours. */
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
    [EVENT_TYPES.connectionLost]: connectionLost,
    [EVENT_TYPES.activity]: activity,
  },
  [TOPICS.presenceChanges]: {
    [EVENT_TYPES.presenceChanged]: presenceChanged,
  },
} as const;
