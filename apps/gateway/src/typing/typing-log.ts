import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { TypingChanged } from '@tidings/common/log-events/events';
import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { uuidv7 } from 'uuidv7';
import { isoTime } from '../socket/iso-time';
import type { TypingMetrics } from './typing.metrics';

export interface TypingLogParts {
  writer: Pick<LogWriter, 'append' | 'takeWaiting'>;
  metrics: TypingMetrics;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/**
 * Appends signals to their log, at once or never: what the log does not take now is dropped and
 * counted, since later it would say nothing any more.
 */
export class TypingLog {
  constructor(private readonly parts: TypingLogParts) {}

  append(signal: Omit<TypingChanged, 'at'>): void {
    const { writer, metrics, wallClock } = this.parts;
    const { conversationId, userId, active } = signal;
    const at = isoTime(wallClock());
    const value: TypingChanged = { conversationId, userId, active, at };
    const record = {
      key: conversationId,
      type: EVENT_TYPES.typing,
      id: uuidv7(),
      time: at,
      value: JSON.stringify(value),
    };
    const taken = writer.append(record, ({ ok }) => {
      if (ok) metrics.appended();
      else metrics.lost('stopped');
    });
    if (!taken) metrics.lost('full');
  }

  /** A partition takes no records: drops what waits there. */
  stalled(partition: number): void {
    const { writer, metrics } = this.parts;
    const waiting = writer.takeWaiting(partition).length;
    if (waiting > 0) metrics.lost('stalled', waiting);
  }
}
