import type { z } from 'zod';
import { contentText, type MessageContent } from '@tidings/common/contracts/content';
import { conversationChanged, EVENT_TYPES, messageSent } from '@tidings/common/contracts/events';
import { isStorable } from '@tidings/common/contracts/text';
import type { LogRecord } from '@tidings/common/kafka/record';
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
}

/** What a record turned out to be. */
export type Decoded =
  | { kind: 'entry'; entry: LogEntry }
  /** Not for this service: of another epoch, or of a type that it does not know. */
  | { kind: 'ignored'; why: 'epoch' | 'type' }
  /** It can never be applied. */
  | { kind: 'poison'; reason: string };

/** ISO 8601 in UTC, as `Date.toISOString` writes it. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;

/** Types that are entries, without their version: another version of them cannot be left out. */
const ENTRY_NAMES = [EVENT_TYPES.messageSent, EVENT_TYPES.conversationChanged].map((type) =>
  type.slice(0, type.lastIndexOf('.') + 1),
);

/** Reads a record of the conversation log. Never throws. */
export function decodeEntry(record: LogRecord, log: LogState): Decoded {
  const { type } = record;
  if (type === '') return poison('ce_type is missing');
  if (record.epoch !== log.epoch) return { kind: 'ignored', why: 'epoch' };
  if (type !== EVENT_TYPES.messageSent && type !== EVENT_TYPES.conversationChanged) {
    if (ENTRY_NAMES.some((name) => type.startsWith(name)))
      return poison(`unknown version: ${type}`);
    return { kind: 'ignored', why: 'type' };
  }
  const value = parseJson(record.value);
  if (value === undefined) return poison('the value is not JSON');
  const decoded =
    type === EVENT_TYPES.messageSent ? sent(value, record, log) : changed(value, record, log);
  return decoded.kind === 'entry' ? checked(decoded.entry, log) : decoded;
}

function sent(value: unknown, record: LogRecord, log: LogState): Decoded {
  const parsed = messageSent.safeParse(value);
  if (!parsed.success) return poison(describe(parsed.error));
  const event = parsed.data;
  if (!isStorable(contentText(event.content))) return poison('content: NUL or a lone surrogate');
  const entry: LogEntry = {
    record,
    conversationId: event.conversationId,
    messageId: event.messageId,
    position: log.position(record.partition, record.offset),
    senderId: event.senderId,
    sentAt: event.sentAt,
    expiresAt: event.expiresAt ?? null,
    kind: event.content.kind,
    contentHash: event.contentHash,
    content: JSON.stringify(event.content),
  };
  return { kind: 'entry', entry };
}

function changed(value: unknown, record: LogRecord, log: LogState): Decoded {
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
  };
  return { kind: 'entry', entry };
}

/** What the schemas cannot see: the record's frame, its place and its times. */
function checked(entry: LogEntry, log: LogState): Decoded {
  const { record, conversationId, messageId, sentAt, expiresAt } = entry;
  if (record.key !== conversationId) return poison('the key is not the conversation');
  if (record.id !== messageId) return poison('ce_id is not the message id');
  if (log.partitionOf(conversationId) !== record.partition) return poison('in the wrong partition');
  if (!isTime(sentAt) || (expiresAt !== null && !isTime(expiresAt))) return poison('not a time');
  return { kind: 'entry', entry };
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
