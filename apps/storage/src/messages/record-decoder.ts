import type { MessageContent } from '@tidings/protocol/content';
import {
  type ConversationChanged,
  EVENT_TYPES,
  type MessageChanged,
  type MessageSent,
} from '@tidings/common/log-events/events';
import { readPlacedEvent } from '@tidings/common/log-events/read-log-event';
import { TOPICS } from '@tidings/common/log-events/topics';
import { extrasOf } from '@tidings/protocol/extras';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { LogState } from '../log/log-state';

/** One entry of a conversation's history, as a row of `messages`. */
export interface LogEntry {
  record: LogRecord;
  conversationId: string;
  messageId: string;
  position: bigint;
  senderId: string;
  sentAt: string;
  expiresAt: string | null;
  kind: string;
  contentHash: string | null;
  /** JSON text. */
  content: string;
  /** JSON text of an object; null: none. */
  extras: string | null;
}

/** An edit or deletion of an entry. */
export interface LogChange {
  record: LogRecord;
  conversationId: string;
  changeId: string;
  /** Position of the change. */
  position: bigint;
  messageId: string;
  /** Who made it. */
  userId: string;
  hash: string;
  /** JSON text of the content afterwards; null: deleted. */
  content: string | null;
}

/** What the batch writer applies, in the order of the log. */
export type LogItem = LogEntry | LogChange;

/** Tells changes from entries. */
export function isChange(item: LogItem): item is LogChange {
  return 'changeId' in item;
}

/** What a record turned out to be. */
export type Decoded =
  | { kind: 'entry'; entry: LogEntry }
  | { kind: 'change'; change: LogChange }
  /** Not for this service: of another epoch, or of a type that it does not know. */
  | { kind: 'ignored'; why: 'epoch' | 'type' }
  /** It can never be applied. */
  | { kind: 'poison'; reason: string };

/** Reads a record of the conversation log. Never throws. */
export function decodeEntry(record: LogRecord, log: LogState): Decoded {
  const read = readPlacedEvent(TOPICS.messages, record, log);
  if (read.kind === 'bad') return { kind: 'poison', reason: read.reason };
  if (read.kind === 'foreign') return { kind: 'ignored', why: read.why };
  const position = log.position(record.partition, record.offset);
  switch (read.type) {
    case EVENT_TYPES.messageSent:
      return { kind: 'entry', entry: sent(read.event, record, position) };
    case EVENT_TYPES.messageChanged:
      return { kind: 'change', change: changed(read.event, record, position) };
    case EVENT_TYPES.conversationChanged:
      return { kind: 'entry', entry: conversation(read.event, record, position) };
  }
}

function sent(event: MessageSent, record: LogRecord, position: bigint): LogEntry {
  const { content } = event;
  const extras = extrasOf(event);
  return {
    record,
    conversationId: event.conversationId,
    messageId: event.messageId,
    position,
    senderId: event.senderId,
    sentAt: event.sentAt,
    expiresAt: event.expiresAt ?? null,
    kind: content.kind,
    contentHash: event.contentHash,
    content: JSON.stringify(content),
    extras: extras && JSON.stringify(extras),
  };
}

function conversation(event: ConversationChanged, record: LogRecord, position: bigint): LogEntry {
  const content: MessageContent = { kind: 'event', event: event.change };
  return {
    record,
    conversationId: event.conversationId,
    messageId: event.messageId,
    position,
    senderId: event.senderId,
    sentAt: event.sentAt,
    expiresAt: null,
    kind: content.kind,
    contentHash: null,
    content: JSON.stringify(content),
    extras: null,
  };
}

function changed(event: MessageChanged, record: LogRecord, position: bigint): LogChange {
  const { content } = event;
  return {
    record,
    conversationId: event.conversationId,
    changeId: event.changeId,
    position,
    messageId: event.messageId,
    userId: event.userId,
    hash: event.changeHash,
    content: content.kind === 'deleted' ? null : JSON.stringify(content),
  };
}
