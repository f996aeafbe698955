import type { z } from 'zod';
import { contentText } from '@tidings/protocol/content';
import { isStorable } from '@tidings/protocol/text';
import { EVENT_SCHEMAS, EVENT_TYPES } from './events';
import type { LogRecord } from './record';

type Schemas = typeof EVENT_SCHEMAS;

/** An event of a topic, by its type. */
type EventOf<Topic extends keyof Schemas> = Topic extends unknown ? EventsOf<Topic> : never;

type EventsOf<Topic extends keyof Schemas> = {
  [Type in keyof Schemas[Topic]]: {
    kind: 'event';
    type: Type;
    event: Schemas[Topic][Type] extends z.ZodType<infer Event> ? Event : never;
  };
}[keyof Schemas[Topic]];

/** What a record turned out to be. */
export type ReadEvent<Topic extends keyof Schemas> =
  | EventOf<Topic>
  /** Of another epoch, or of a type that was introduced later: of no concern to this version. */
  | { kind: 'foreign'; why: 'epoch' | 'type' }
  /** Nobody can ever use it: it belongs into the dead letters. */
  | { kind: 'bad'; reason: string };

/** What is read of a record. */
type Readable = Pick<LogRecord, 'type' | 'id' | 'key'> & { value: string | Buffer };

/** The place where a record of the log must be. */
interface Place {
  epoch: number;
  partitionOf(key: string): number;
}

/** ISO 8601 in UTC, as `Date.toISOString` writes it. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;

/**
 * Reads a record: the one judgement that all services share. A later version of a known type is
 * bad, not foreign: otherwise its message would be missing without a trace. Never throws, whatever
 * the record contains.
 */
export function readLogEvent<Topic extends keyof Schemas>(
  topic: Topic,
  record: Readable,
): ReadEvent<Topic> {
  const { type } = record;
  if (type === '') return bad('ce_type is missing');
  const schemas: Readonly<Record<string, z.ZodType>> = EVENT_SCHEMAS[topic];
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (!schema) {
    const isLater = Object.keys(schemas).some((known) => type.startsWith(nameOf(known)));
    return isLater ? bad(`unknown version: ${type}`) : { kind: 'foreign', why: 'type' };
  }
  const value = parsed(record.value);
  if (value === undefined) return bad('the value is not JSON');
  const { data, error } = schema.safeParse(value);
  if (error) return bad(describe(error));
  const read = { kind: 'event', type, event: data } as EventOf<keyof Schemas>;
  const fault = faultOf(read, record);
  return fault === null ? (read as EventOf<Topic>) : bad(fault);
}

/** {@link readLogEvent} for a log whose offsets are positions: the record must be in its place. */
export function readPlacedEvent<Topic extends keyof Schemas>(
  topic: Topic,
  record: LogRecord,
  log: Place,
): ReadEvent<Topic> {
  if (record.type !== '' && record.epoch !== log.epoch) return { kind: 'foreign', why: 'epoch' };
  const read = readLogEvent(topic, record);
  if (read.kind !== 'event' || log.partitionOf(record.key) === record.partition) return read;
  return bad('in the wrong partition');
}

/** What the schemas cannot check: the record's headers, its times, and what no table can store. */
function faultOf(read: EventOf<keyof Schemas>, record: Readable): string | null {
  switch (read.type) {
    case EVENT_TYPES.messageSent: {
      const { content, messageId, conversationId, sentAt, expiresAt } = read.event;
      // Custom data is JSON text inside JSON text: nothing in it can do harm.
      if (!isStorable(contentText(content))) return 'content: NUL or a lone surrogate';
      if (record.id !== messageId) return 'ce_id is not the message id';
      if (!areTimes(sentAt, expiresAt)) return 'not a time';
      return keyFault(record, conversationId);
    }
    case EVENT_TYPES.messageChanged: {
      const { content, changeId, conversationId, sentAt, expiresAt } = read.event;
      if (content.kind !== 'deleted' && !isStorable(contentText(content))) {
        return 'content: NUL or a lone surrogate';
      }
      if (record.id !== changeId) return 'ce_id is not the change id';
      if (!areTimes(sentAt, expiresAt)) return 'not a time';
      return keyFault(record, conversationId);
    }
    case EVENT_TYPES.conversationChanged: {
      const { messageId, conversationId, sentAt } = read.event;
      if (record.id !== messageId) return 'ce_id is not the message id';
      if (!areTimes(sentAt)) return 'not a time';
      return keyFault(record, conversationId);
    }
    case EVENT_TYPES.receipt:
    case EVENT_TYPES.typing:
      return keyFault(record, read.event.conversationId);
    case EVENT_TYPES.connectionOpened:
    case EVENT_TYPES.connectionClosed:
    case EVENT_TYPES.activity:
    case EVENT_TYPES.presenceChanged:
      return userKeyFault(record, read.event.userId);
    case EVENT_TYPES.connectionLost: {
      const { userId, at } = read.event;
      return areTimes(at) ? userKeyFault(record, userId) : 'not a time';
    }
  }
}

/** The key decides the partition, and so the order within the conversation. */
function keyFault(record: Readable, conversationId: string): string | null {
  return record.key === conversationId ? null : 'the key is not the conversation';
}

/** The same for a user's events. */
function userKeyFault(record: Readable, userId: string): string | null {
  return record.key === userId ? null : 'the key is not the user';
}

/** A type without its version. */
function nameOf(type: string): string {
  return type.slice(0, type.lastIndexOf('.') + 1);
}

/** Times are copied into frames and tables as they are. */
function areTimes(...texts: (string | undefined)[]): boolean {
  return texts.every(
    (text) => text === undefined || (ISO_TIME.test(text) && !Number.isNaN(Date.parse(text))),
  );
}

function parsed(value: string | Buffer): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    return undefined;
  }
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0]!;
  return `${issue.path.join('.') || 'value'}: ${issue.message}`;
}

function bad(reason: string): { kind: 'bad'; reason: string } {
  return { kind: 'bad', reason };
}
