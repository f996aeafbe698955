import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { readLogEvent } from '@tidings/common/log-events/read-log-event';
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

/**
 * Reads connection events. The log's epoch does not matter here: that somebody was connected stays
 * true, and no offset is kept. Never throws.
 */
export function readConnections(records: readonly LogRecord[]): ReadConnections {
  const read: ReadConnections = { events: [], bad: [], foreign: 0 };
  for (const record of records) {
    const found = readLogEvent(TOPICS.presence, record);
    if (found.kind === 'foreign') read.foreign++;
    else if (found.kind === 'bad') read.bad.push({ record, reason: found.reason });
    else if (found.type === EVENT_TYPES.connectionOpened) {
      read.events.push({ kind: 'opened', event: found.event });
    } else read.events.push({ kind: 'closed', event: found.event });
  }
  return read;
}
