import type { z } from 'zod';
import {
  contentText,
  type deletedContent,
  type MessageContent,
  type SentContent,
} from '@tidings/protocol/content';
import {
  conversationChanged,
  EVENT_TYPES,
  messageChanged,
  messageSent,
} from '@tidings/common/log-events/events';
import { extrasOf } from '@tidings/protocol/extras';
import { isStorable } from '@tidings/protocol/text';
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

/** ISO 8601 in UTC, as `Date.toISOString` writes it. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;

/** How a value of each type is read. */
const READERS: Readonly<
  Record<string, (value: unknown, record: LogRecord, log: LogState) => Decoded>
> = {
  [EVENT_TYPES.messageSent]: sent,
  [EVENT_TYPES.messageChanged]: changed,
  [EVENT_TYPES.conversationChanged]: conversation,
};

/** Types that are read, without their version: another version of them cannot be left out. */
const NAMES = Object.keys(READERS).map((type) => type.slice(0, type.lastIndexOf('.') + 1));

/** Reads a record of the conversation log. Never throws. */
export function decodeEntry(record: LogRecord, log: LogState): Decoded {
  const { type } = record;
  if (type === '') return poison('ce_type is missing');
  if (record.epoch !== log.epoch) return { kind: 'ignored', why: 'epoch' };
  const read = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (!read) {
    if (NAMES.some((name) => type.startsWith(name))) return poison(`unknown version: ${type}`);
    return { kind: 'ignored', why: 'type' };
  }
  const value = parseJson(record.value);
  if (value === undefined) return poison('the value is not JSON');
  const decoded = read(value, record, log);
  const fault = faultOf(decoded, log);
  return fault === null ? decoded : poison(fault);
}

function sent(value: unknown, record: LogRecord, log: LogState): Decoded {
  const parsed = messageSent.safeParse(value);
  if (!parsed.success) return poison(describe(parsed.error));
  const event = parsed.data;
  const { content } = event;
  if (!isKept(content)) return poison('content: NUL or a lone surrogate');
  const extras = extrasOf(event);
  const entry: LogEntry = {
    record,
    conversationId: event.conversationId,
    messageId: event.messageId,
    position: log.position(record.partition, record.offset),
    senderId: event.senderId,
    sentAt: event.sentAt,
    expiresAt: event.expiresAt ?? null,
    kind: content.kind,
    contentHash: event.contentHash,
    content: JSON.stringify(content),
    extras: extras && JSON.stringify(extras),
  };
  return { kind: 'entry', entry };
}

function conversation(value: unknown, record: LogRecord, log: LogState): Decoded {
  const parsed = conversationChanged.safeParse(value);
  if (!parsed.success) return poison(describe(parsed.error));
  const event = parsed.data;
  const content: MessageContent = { kind: 'event', event: event.change };
  const entry: LogEntry = {
    record,
    conversationId: event.conversationId,
    messageId: event.messageId,
    position: log.position(record.partition, record.offset),
    senderId: event.senderId,
    sentAt: event.sentAt,
    expiresAt: null,
    kind: content.kind,
    contentHash: null,
    content: JSON.stringify(content),
    extras: null,
  };
  return { kind: 'entry', entry };
}

function changed(value: unknown, record: LogRecord, log: LogState): Decoded {
  const parsed = messageChanged.safeParse(value);
  if (!parsed.success) return poison(describe(parsed.error));
  const { content, ...event } = parsed.data;
  if (!isKept(content)) return poison('content: NUL or a lone surrogate');
  const change: LogChange = {
    record,
    conversationId: event.conversationId,
    changeId: event.changeId,
    position: log.position(record.partition, record.offset),
    messageId: event.messageId,
    userId: event.userId,
    hash: event.changeHash,
    content: content.kind === 'deleted' ? null : JSON.stringify(content),
  };
  return { kind: 'change', change };
}

/** Custom data is JSON text in JSON text: nothing of it can harm. */
function isKept(content: SentContent | z.infer<typeof deletedContent>): boolean {
  return content.kind === 'deleted' || isStorable(contentText(content));
}

/** What the schemas cannot see: the record's frame, its place and its times. */
function faultOf(decoded: Decoded, log: LogState): string | null {
  if (decoded.kind === 'change') {
    const { record, conversationId, changeId } = decoded.change;
    if (record.id !== changeId) return 'ce_id is not the change id';
    return placeFault(record, conversationId, log);
  }
  if (decoded.kind !== 'entry') return null;
  const { record, conversationId, messageId, sentAt, expiresAt } = decoded.entry;
  if (record.id !== messageId) return 'ce_id is not the message id';
  if (!isTime(sentAt) || (expiresAt !== null && !isTime(expiresAt))) return 'not a time';
  return placeFault(record, conversationId, log);
}

function placeFault(record: LogRecord, conversationId: string, log: LogState): string | null {
  if (record.key !== conversationId) return 'the key is not the conversation';
  return log.partitionOf(conversationId) === record.partition ? null : 'in the wrong partition';
}

function isTime(text: string): boolean {
  return ISO_TIME.test(text) && !Number.isNaN(Date.parse(text));
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0]!;
  return `${issue.path.join('.') || 'value'}: ${issue.message}`;
}

function poison(reason: string): Decoded {
  return { kind: 'poison', reason };
}
