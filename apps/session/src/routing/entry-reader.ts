import { EVENT_SCHEMAS, EVENT_TYPES } from '@tidings/common/log-events/events';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { LogEntry } from '../domain/entry';

/** A record that can never be routed, and why. */
export interface BadRecord {
  record: LogRecord;
  reason: string;
}

/** What the records of a batch are. */
export interface ReadBatch {
  entries: LogEntry[];
  bad: BadRecord[];
  /** Records of a type or log epoch that is not ours. */
  foreign: number;
}

const SCHEMAS = EVENT_SCHEMAS[TOPICS.messages];

/**
 * Parses the records of one partition. `epoch`: the current log epoch; `base`: position of offset 0.
 * Never throws.
 */
export function readEntries(
  records: readonly LogRecord[],
  log: { epoch: number; base: bigint },
): ReadBatch {
  const read: ReadBatch = { entries: [], bad: [], foreign: 0 };
  for (const record of records) {
    const entry = record.epoch === log.epoch ? readEntry(record, log.base) : null;
    if (entry === null) read.foreign++;
    else if (typeof entry === 'string') read.bad.push({ record, reason: entry });
    else read.entries.push(entry);
  }
  return read;
}

/** An entry; the reason why it is none; null for a type that came later than this version. */
function readEntry(record: LogRecord, base: bigint): LogEntry | string | null {
  const { offset, timestamp } = record;
  const place = { offset, position: base + offset, recordedAtMs: timestamp };
  switch (record.type) {
    case EVENT_TYPES.messageSent: {
      const event = parse(SCHEMAS[EVENT_TYPES.messageSent], record);
      return typeof event === 'string' ? event : { kind: 'message', ...place, event };
    }
    case EVENT_TYPES.messageChanged: {
      const event = parse(SCHEMAS[EVENT_TYPES.messageChanged], record);
      return typeof event === 'string' ? event : { kind: 'change', ...place, event };
    }
    case EVENT_TYPES.conversationChanged: {
      const event = parse(SCHEMAS[EVENT_TYPES.conversationChanged], record);
      return typeof event === 'string' ? event : { kind: 'conversation', ...place, event };
    }
    case '':
      return 'the record has no type';
    default:
      return null;
  }
}

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } };
}

function parse<T extends { conversationId: string; messageId: string }>(
  schema: Schema<T>,
  record: LogRecord,
): T | string {
  let value: unknown;
  try {
    value = JSON.parse(record.value.toString());
  } catch {
    return 'the value is not JSON';
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`;
  }
  // The key decides the partition, and with it the order of the conversation.
  if (parsed.data.conversationId !== record.key) return 'the key is not the conversation id';
  return parsed.data;
}
