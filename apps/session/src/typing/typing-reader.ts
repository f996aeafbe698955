import { readLogEvent } from '@tidings/common/log-events/read-log-event';
import { TOPICS } from '@tidings/common/log-events/topics';
import { TYPING } from '@tidings/protocol/typing';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { Signal } from '../domain/signal-notice';

/** What a batch says, of who writes for example. */
export interface SignalBatch {
  /** The last word of each user in each conversation, per type. */
  signals: Signal[];
  /** Records that came too late to be of use. */
  stale: number;
  /** Records that are none, of another type, or said again later in the batch. */
  skipped: number;
}

/** Reads records of `chat.signals.v1`; `now`: Unix milliseconds. Never throws. */
export function readSignals(records: readonly LogRecord[], now: number): SignalBatch {
  const latest = new Map<string, Signal>();
  const read: SignalBatch = { signals: [], stale: 0, skipped: 0 };
  for (const record of records) {
    if (now - record.timestamp > TYPING.staleMs) {
      read.stale++;
      continue;
    }
    const found = readLogEvent(TOPICS.signals, record);
    if (found.kind !== 'event') {
      read.skipped++;
      continue;
    }
    const { conversationId, userId } = found.event;
    const key = found.type + conversationId + userId;
    // in the order of the last words
    if (latest.delete(key)) read.skipped++;
    latest.set(key, found);
  }
  read.signals = [...latest.values()];
  return read;
}
