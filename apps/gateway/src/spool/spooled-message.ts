import { EVENT_TYPES, NO_CONTENT_HASH, type MessageSent } from '@tidings/common/log-events/events';
import { readLogEvent } from '@tidings/common/log-events/read-log-event';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { OutRecord } from '@tidings/common/log-events/record';
import { messageRecord } from '@tidings/common/log-records/message-record';

/** What a message in a spool is judged by. */
export interface SpooledMessage {
  conversationId: string;
  messageId: string;
  senderId: string;
  deviceId: string;
  contentHash: string;
  /** Unix milliseconds. */
  sentAtMs: number;
  /** Unix milliseconds; null: never. */
  expiresAtMs: number | null;
}

/** Whether records of this type may be held; others are refused while the log is away. */
export function mayBeHeld(record: OutRecord): boolean {
  return record.type === EVENT_TYPES.messageSent;
}

/** When a record's life ends, Unix milliseconds; Infinity: never, or nothing is left of it. */
export function expiryOf(record: OutRecord): number {
  // few have one, and reading a record costs
  if (!record.value.includes('"expiresAt"')) return Infinity;
  const message = spooledMessage(record);
  if (message?.contentHash === NO_CONTENT_HASH) return Infinity;
  return message?.expiresAtMs ?? Infinity;
}

/**
 * What is left of a message whose life is over: its place. It goes to the log as every other one, so that
 * what its sender sent behind it stays behind it, wherever else the same messages are held. Null: the
 * record is no message that this version knows.
 */
export function placeOnly(record: OutRecord): OutRecord | null {
  const message = parsed(record);
  if (!message) return null;
  const { conversationId, messageId, senderId, deviceId, sentAt } = message;
  return messageRecord({
    conversationId,
    messageId,
    senderId,
    deviceId,
    content: { kind: 'text', text: '' },
    contentHash: NO_CONTENT_HASH,
    sentAt,
    // over by every reader's clock, also by one that is behind
    expiresAt: sentAt,
    extras: null,
  });
}

/** Reads a record that was held; null when it is no message that this version knows. */
export function spooledMessage(record: OutRecord): SpooledMessage | null {
  const message = parsed(record);
  if (!message) return null;
  const { conversationId, messageId, senderId, deviceId, contentHash } = message;
  const { sentAt, expiresAt } = message;
  const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
  const sentAtMs = Date.parse(sentAt);
  return { conversationId, messageId, senderId, deviceId, contentHash, sentAtMs, expiresAtMs };
}

function parsed(record: OutRecord): MessageSent | null {
  const read = readLogEvent(TOPICS.messages, record);
  return read.kind === 'event' && read.type === EVENT_TYPES.messageSent ? read.event : null;
}
