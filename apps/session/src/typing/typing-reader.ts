import type { TypingChanged } from '@tidings/common/log-events/events';
import { readLogEvent } from '@tidings/common/log-events/read-log-event';
import { TOPICS } from '@tidings/common/log-events/topics';
import { TYPING } from '@tidings/protocol/typing';
import type { LogRecord } from '@tidings/common/log-events/record';

/** What a batch says of who writes. */
export interface TypingBatch {
  /** The last word of each user in each conversation. */
  signals: TypingChanged[];
  /** Records that came too late to be of use. */
  stale: number;
  /** Records that are none, of another type, or said again later in the batch. */
  skipped: number;
}

/** Reads records of `chat.signals.v1`; `now`: Unix milliseconds. Never throws. */
export function readTyping(records: readonly LogRecord[], now: number): TypingBatch {
  const latest = new Map<string, TypingChanged>();
  const read: TypingBatch = { signals: [], stale: 0, skipped: 0 };
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
    const signal = found.event;
    const key = signal.conversationId + signal.userId;
    // in the order of the last words
    if (latest.delete(key)) read.skipped++;
    latest.set(key, signal);
  }
  read.signals = [...latest.values()];
  return read;
}
