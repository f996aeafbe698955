import type { LogRecord } from './record';

/** Headers that a dead letter, or a mark about one, carries besides those of its record. */
export const DEAD_LETTER_HEADERS = {
  reason: 'dlq_reason',
  topic: 'dlq_topic',
  partition: 'dlq_partition',
  offset: 'dlq_offset',
  timestamp: 'dlq_timestamp',
  group: 'dlq_group',
  /** Only on marks: what became of the letter. */
  mark: 'dlq_mark',
  by: 'dlq_by',
  to: 'dlq_to',
} as const;

/** On a record that was appended again: where it was first, `topic/partition/offset`. */
export const REPLAY_OF_HEADER = 'replay_of';

/** Where a record that was set aside lies in its log. */
export interface LetterOrigin {
  topic: string;
  partition: number;
  offset: bigint;
  /** Record time, Unix milliseconds. A log that was made anew has the same offsets at other times. */
  timestamp: number;
}

/** A record that a consumer group has set aside, without its value. */
export interface DeadLetter {
  kind: 'letter';
  origin: LetterOrigin;
  /** Its place among the dead letters. */
  topic: string;
  partition: number;
  offset: bigint;
  group: string;
  reason: string;
  /** When it was set aside, Unix milliseconds. */
  at: number;
  key: string;
  type: string;
  /** `ce_id`: the id of the message, change or event. */
  eventId: string;
  /** `ce_time` as written. */
  time: string;
  epoch: number;
  /** Of the value. */
  bytes: number;
  /** Author of a message, as far as the value can be read. */
  senderId: string | null;
}

const MARKS = ['replaying', 'replayed', 'dropped'] as const;
/** What becomes of a letter; `replaying`: a replay has begun, and may have been cut off. */
type MarkKind = (typeof MARKS)[number];

/** What an operator has done about a record that was set aside. */
export interface DeadLetterMark {
  kind: 'mark';
  mark: MarkKind;
  origin: LetterOrigin;
  /** Its place among the dead letters. */
  topic: string;
  partition: number;
  offset: bigint;
  /** Who did it. */
  by: string;
  /** Why; of a replay: empty. */
  reason: string;
  /** Where the record lies now, `topic/partition/offset`; empty when nowhere. */
  to: string;
  at: number;
}

/** How operators name a letter: by the place of its record in its log. */
export function letterId({ topic, partition, offset }: Omit<LetterOrigin, 'timestamp'>): string {
  return `${topic}/${partition}/${offset}`;
}

/** Tells records of the same place apart whose log was made anew. */
export function originKey(origin: LetterOrigin): string {
  return `${letterId(origin)}@${origin.timestamp}`;
}

/** Reads a record of a dead-letter topic; null: it is neither a letter nor a mark. Never throws. */
export function readDeadLetter(record: LogRecord): DeadLetter | DeadLetterMark | null {
  const header = (name: keyof typeof DEAD_LETTER_HEADERS): string =>
    headerText(record.headers, DEAD_LETTER_HEADERS[name]);
  const origin = originOf(header);
  if (!origin) return null;
  const { topic, partition, offset, timestamp: at } = record;
  const place = { topic, partition, offset, at, origin };
  const mark = header('mark');
  if (mark !== '') {
    const kind = MARKS.find((one) => one === mark);
    if (!kind) return null;
    const [by, reason, to] = [header('by'), header('reason'), header('to')];
    return { kind: 'mark', mark: kind, ...place, by, reason, to };
  }
  const { key, type, id: eventId, time, epoch, value } = record;
  return {
    kind: 'letter',
    ...place,
    group: header('group'),
    reason: header('reason'),
    key,
    type,
    eventId,
    time,
    epoch,
    bytes: value.length,
    senderId: senderOf(value),
  };
}

/** Headers of a mark. */
export function markHeaders(
  { topic, partition, offset, timestamp }: LetterOrigin,
  { mark, by, reason, to }: Pick<DeadLetterMark, 'mark' | 'by' | 'reason' | 'to'>,
): Record<string, string> {
  return {
    [DEAD_LETTER_HEADERS.topic]: topic,
    [DEAD_LETTER_HEADERS.partition]: String(partition),
    [DEAD_LETTER_HEADERS.offset]: String(offset),
    [DEAD_LETTER_HEADERS.timestamp]: String(timestamp),
    [DEAD_LETTER_HEADERS.mark]: mark,
    [DEAD_LETTER_HEADERS.by]: by,
    [DEAD_LETTER_HEADERS.reason]: reason,
    [DEAD_LETTER_HEADERS.to]: to,
  };
}

/** A header as text; empty when there is none. */
export function headerText(headers: LogRecord['headers'], name: string): string {
  const value = headers?.[name];
  const one = Array.isArray(value) ? value[0] : value;
  return one == null ? '' : one.toString();
}

function originOf(
  header: (name: 'topic' | 'partition' | 'offset' | 'timestamp') => string,
): LetterOrigin | null {
  const [topic, partition, offset] = [header('topic'), header('partition'), header('offset')];
  const timestamp = header('timestamp');
  if (topic === '' || !/^\d{1,9}$/.test(partition) || !/^\d{1,18}$/.test(offset)) return null;
  if (!/^-?\d{1,15}$/.test(timestamp)) return null;
  const place = { topic, partition: Number(partition), offset: BigInt(offset) };
  return { ...place, timestamp: Number(timestamp) };
}

function senderOf(value: Buffer): string | null {
  try {
    const parsed: unknown = JSON.parse(value.toString());
    const { senderId } = (parsed ?? {}) as { senderId?: unknown };
    return typeof senderId === 'string' ? senderId : null;
  } catch {
    return null;
  }
}
