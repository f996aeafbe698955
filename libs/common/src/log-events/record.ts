import { RECORD_HEADERS } from './events';

/** A record to append: one event in CloudEvents' Kafka binding, binary mode. */
export interface OutRecord {
  /** Determines the partition (conversation or user id). */
  key: string;
  /** `ce_type`. */
  type: string;
  /** `ce_id`: the message, change or event id. */
  id: string;
  /** `ce_time`, ISO 8601. */
  time: string;
  /** JSON text of the event. */
  value: string | Buffer;
  /** Further headers, e.g. `traceparent`. */
  headers?: Record<string, string>;
}

/** A header's value as a Kafka client provides it. */
type HeaderValue = Buffer | string | (Buffer | string)[] | undefined;
/** Headers of a record by name. */
type RawHeaders = Readonly<Record<string, HeaderValue>>;

/** A fetched record as a Kafka client provides it. */
interface FetchedRecord {
  offset: string;
  /** Unix milliseconds. */
  timestamp: string;
  key: Buffer | null;
  value: Buffer | null;
  headers?: RawHeaders;
}

/** A record as read from the log. Offsets are bigints everywhere in this API. */
export interface LogRecord {
  topic: string;
  partition: number;
  offset: bigint;
  key: string;
  /** `ce_type`; empty when the record does not carry our headers. */
  type: string;
  /** `ce_id`; empty when the record does not carry our headers. */
  id: string;
  /** `ce_source`: the node that appended it. */
  source: string;
  /** `ce_time` as written, ISO 8601. */
  time: string;
  /** The broker's record time in Unix milliseconds. */
  timestamp: number;
  /** Log epoch of the writer; -1 when absent or not a number. */
  epoch: number;
  /** It may not be the first append of its id. */
  again: boolean;
  /**
   * Raw JSON, to be parsed by the reader. Empty for a record without a value. A view of the whole
   * fetched response: copy whatever outlives the batch.
   */
  value: Buffer;
  /** All other headers, undecoded. */
  headers: RawHeaders | undefined;
}

/** Values that are equal in all records. */
export const SPEC_VERSION = '1.0';
export const CONTENT_TYPE = 'application/json';

/**
 * Headers of a record as strings, for producers other than the log writer (dead letters, tools).
 */
export function encodeHeaders(
  record: Omit<OutRecord, 'key' | 'value'>,
  origin: { source: string; epoch: number; again?: boolean },
): Record<string, string> {
  return {
    ...record.headers,
    [RECORD_HEADERS.specVersion]: SPEC_VERSION,
    [RECORD_HEADERS.contentType]: CONTENT_TYPE,
    [RECORD_HEADERS.source]: origin.source,
    [RECORD_HEADERS.epoch]: String(origin.epoch),
    [RECORD_HEADERS.type]: record.type,
    [RECORD_HEADERS.id]: record.id,
    [RECORD_HEADERS.time]: record.time,
    ...(origin.again ? { [RECORD_HEADERS.again]: AGAIN } : {}),
  };
}

/** Value of the header that marks a record as possibly not the first append of its id. */
export const AGAIN = '1';

const NOTHING = Buffer.alloc(0);

/**
 * Reads a fetched message. Never throws: what is missing becomes empty, so that a bad record
 * reaches its handler.
 */
export function decodeRecord(topic: string, partition: number, message: FetchedRecord): LogRecord {
  const headers = message.headers ?? {};
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key ? message.key.toString() : '',
    type: text(headers[RECORD_HEADERS.type]),
    id: text(headers[RECORD_HEADERS.id]),
    source: text(headers[RECORD_HEADERS.source]),
    time: text(headers[RECORD_HEADERS.time]),
    timestamp: Number(message.timestamp),
    epoch: parseEpoch(text(headers[RECORD_HEADERS.epoch])),
    again: text(headers[RECORD_HEADERS.again]) === AGAIN,
    value: message.value ?? NOTHING,
    headers: message.headers,
  };
}

/** Log epoch in a header's text; -1 when it is not one. */
export function parseEpoch(value: string): number {
  return /^\d{1,9}$/.test(value) ? Number(value) : -1;
}

function text(value: HeaderValue): string {
  const one = Array.isArray(value) ? value[0] : value;
  return one == null ? '' : one.toString();
}
