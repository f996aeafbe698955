import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { readLogEvent } from '@tidings/common/log-events/read-log-event';
import type { LogRecord } from '@tidings/common/log-events/record';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { DatedEvent, PresenceEvent } from './domain/apply-event';

/** What the records of a batch are. */
export interface ReadPresenceEvents {
  events: DatedEvent[];
  /** Records that can never be applied, and why. */
  bad: { record: LogRecord; reason: string }[];
  /** Records by what they are; `foreign`: of a type that came later than this version. */
  counts: Record<PresenceEvent['kind'] | 'foreign', number>;
}

/** Reads what happened to users. Never throws. */
export function readPresenceEvents(records: readonly LogRecord[]): ReadPresenceEvents {
  const counts = { opened: 0, closed: 0, activity: 0, lost: 0, foreign: 0 };
  const read: ReadPresenceEvents = { events: [], bad: [], counts };
  for (const record of records) {
    const found = readLogEvent(TOPICS.presence, record);
    if (found.kind === 'foreign') counts.foreign++;
    else if (found.kind === 'bad') read.bad.push({ record, reason: found.reason });
    else {
      const { epoch, offset, timestamp: atMs } = record;
      const event = eventOf(found);
      counts[event.kind]++;
      read.events.push({ ...event, epoch, offset, atMs });
    }
  }
  return read;
}

type Found = Extract<ReturnType<typeof readLogEvent<typeof TOPICS.presence>>, { kind: 'event' }>;

function eventOf(found: Found): PresenceEvent {
  switch (found.type) {
    case EVENT_TYPES.connectionOpened:
      return { kind: 'opened', event: found.event };
    case EVENT_TYPES.connectionClosed:
      return { kind: 'closed', event: found.event };
    case EVENT_TYPES.connectionLost:
      return { kind: 'lost', event: found.event };
    case EVENT_TYPES.activity:
      return { kind: 'activity', event: found.event };
  }
}
