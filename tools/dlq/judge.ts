import { EVENT_SCHEMAS, EVENT_TYPES } from '@tidings/common/log-events/events';
import { readLogEvent } from '@tidings/common/log-events/read-log-event';
import type { LogRecord } from '@tidings/common/log-events/record';
import { TOPICS } from '@tidings/common/log-events/topics';

type Known = keyof typeof EVENT_SCHEMAS;

/** What would come of appending a record again. */
export type Judgement =
  /** `edit`: of which message; a later change of it must not be undone. */
  | { readable: true; edit: { messageId: string } | null; presence: boolean }
  | { readable: false; why: string };

/**
 * Whether this version can read a record, by the judgement that all services share. Its place is not asked:
 * it gets a new one.
 */
export function judge(topic: string, record: LogRecord): Judgement {
  if (!Object.hasOwn(EVENT_SCHEMAS, topic))
    return { readable: false, why: `${topic} is not one of ours` };
  const read = readLogEvent(topic as Known, record);
  if (read.kind === 'bad') return { readable: false, why: read.reason };
  if (read.kind === 'foreign') {
    return { readable: false, why: `its type is not known to this version: ${record.type}` };
  }
  const isEdit = read.type === EVENT_TYPES.messageChanged && read.event.content.kind !== 'deleted';
  return {
    readable: true,
    edit: isEdit ? { messageId: read.event.messageId } : null,
    presence: topic === TOPICS.presence,
  };
}

/** The message that a record changes; null: it changes none, or cannot be read. */
export function changedMessage(record: LogRecord): string | null {
  if (record.type !== EVENT_TYPES.messageChanged) return null;
  const read = readLogEvent(TOPICS.messages, record);
  return read.kind === 'event' && read.type === EVENT_TYPES.messageChanged
    ? read.event.messageId
    : null;
}
