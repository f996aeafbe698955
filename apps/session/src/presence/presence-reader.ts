import type { PresenceChanged } from '@tidings/common/log-events/events';
import { readLogEvent } from '@tidings/common/log-events/read-log-event';
import type { LogRecord } from '@tidings/common/log-events/record';
import { TOPICS } from '@tidings/common/log-events/topics';

/** What a batch says of users' presence. */
export interface PresenceBatch {
  /** The newest change of each user. */
  changes: PresenceChanged[];
  /** Records that are none, of another type, or older than another one of the batch. */
  skipped: number;
}

/** Reads records of `chat.presence-changes.v1`. Never throws. */
export function readPresenceChanges(records: readonly LogRecord[]): PresenceBatch {
  const newest = new Map<string, PresenceChanged>();
  let skipped = 0;
  for (const record of records) {
    const found = readLogEvent(TOPICS.presenceChanges, record);
    if (found.kind !== 'event') {
      skipped++;
      continue;
    }
    const known = newest.get(found.event.userId);
    if (known) skipped++;
    if (!known || known.version < found.event.version) newest.set(found.event.userId, found.event);
  }
  return { changes: [...newest.values()], skipped };
}
