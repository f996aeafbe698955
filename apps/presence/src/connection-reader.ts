import { EVENT_SCHEMAS, EVENT_TYPES } from '@tidings/common/log-events/events';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { ConnectionEvent } from './domain/clocks';

/** What the records of a batch are. */
export interface ReadConnections {
  events: ConnectionEvent[];
  /** Records that can never be applied, and why. */
  bad: { record: LogRecord; reason: string }[];
  /** Records of a type that came later than this version. */
  foreign: number;
}

const SCHEMAS = EVENT_SCHEMAS[TOPICS.presence];

/**
 * Parses connection events. The log's epoch does not matter here: that somebody was connected stays
 * true, and no offset is kept. Never throws.
 */
export function readConnections(records: readonly LogRecord[]): ReadConnections {
  const read: ReadConnections = { events: [], bad: [], foreign: 0 };
  for (const record of records) {
    const event = readEvent(record);
    if (event === null) read.foreign++;
    else if (typeof event === 'string') read.bad.push({ record, reason: event });
    else read.events.push(event);
  }
  return read;
}

function readEvent(record: LogRecord): ConnectionEvent | string | null {
  if (record.type === '') return 'the record has no type';
  const opened = record.type === EVENT_TYPES.connectionOpened;
  if (!opened && record.type !== EVENT_TYPES.connectionClosed) return null;
  let value: unknown;
  try {
    value = JSON.parse(record.value.toString());
  } catch {
    return 'the value is not JSON';
  }
  if (opened) {
    const { data, error } = SCHEMAS[EVENT_TYPES.connectionOpened].safeParse(value);
    return data ? { kind: 'opened', event: data } : error.message;
  }
  const { data, error } = SCHEMAS[EVENT_TYPES.connectionClosed].safeParse(value);
  return data ? { kind: 'closed', event: data } : error.message;
}
