import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { type ReadEvent, readPlacedEvent } from '@tidings/common/log-events/read-log-event';
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

/**
 * Reads the records of one partition. `log`: epoch, place of a key, and the partition's position of
 * offset 0. Never throws.
 */
export function readEntries(
  records: readonly LogRecord[],
  log: { epoch: number; base: bigint; partitionOf(key: string): number },
): ReadBatch {
  const read: ReadBatch = { entries: [], bad: [], foreign: 0 };
  for (const record of records) {
    const found = readPlacedEvent(TOPICS.messages, record, log);
    if (found.kind === 'foreign') read.foreign++;
    else if (found.kind === 'bad') read.bad.push({ record, reason: found.reason });
    else read.entries.push(entryOf(found, record, log.base));
  }
  return read;
}

type Found = Extract<ReadEvent<typeof TOPICS.messages>, { kind: 'event' }>;

function entryOf(found: Found, { offset, timestamp }: LogRecord, base: bigint): LogEntry {
  const place = { offset, position: base + offset, recordedAtMs: timestamp };
  switch (found.type) {
    case EVENT_TYPES.messageSent:
      return { kind: 'message', ...place, event: found.event };
    case EVENT_TYPES.messageChanged:
      return { kind: 'change', ...place, event: found.event };
    case EVENT_TYPES.conversationChanged:
      return { kind: 'conversation', ...place, event: found.event };
  }
}
