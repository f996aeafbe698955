import type { IHeaders } from 'kafkajs';
import { RECORD_HEADERS } from '../../log-events/events';
import { AGAIN, type LogRecord, parseEpoch } from '../../log-events/record';

/** Version of the Fetch response that {@link decodeFetch} reads. */
export const FETCH_VERSION = 11;

/** A decoded Fetch response in the shape that kafkajs' consumer works with. */
export interface FetchAnswer {
  clientSideThrottleTime: number;
  errorCode: number;
  responses: { topicName: string; partitions: FetchedPartition[] }[];
}

interface FetchedPartition {
  partition: number;
  errorCode: number;
  highWatermark: bigint;
  abortedTransactions: never[];
  preferredReadReplica: number;
  messages: FetchedRecord[];
}

const MAGIC = 2;
/** Bytes of a batch before its records, and of its first two fields. */
const BATCH_HEAD = 61;
const BATCH_PREFIX = 12;
const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
/** Transactional and control batches. */
const SPECIAL = 0x30;
const NOTHING = Buffer.alloc(0);

/**
 * Decodes a Fetch response, version 11, directly into records. Returns null when it contains
 * something that this project never writes (compression, transactions, old formats): then kafkajs'
 * own decoder, which is several times slower, has to be used. Format:
 * https://kafka.apache.org/protocol.html#The_Messages_Fetch
 */
export function decodeFetch(raw: Buffer): FetchAnswer | null {
  const reader = new Reader(raw);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.at += 4;
  const responses: FetchAnswer['responses'] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topicName = reader.string16();
    const partitions: FetchedPartition[] = [];
    for (let count = reader.int32(); count > 0; count--) {
      const partition = decodePartition(reader, topicName);
      if (!partition) return null;
      partitions.push(partition);
    }
    responses.push({ topicName, partitions });
  }
  return { clientSideThrottleTime, errorCode, responses };
}

function decodePartition(reader: Reader, topic: string): FetchedPartition | null {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  reader.at += 16;
  if (reader.int32() > 0) return null;
  const preferredReadReplica = reader.int32();
  const end = Math.max(0, reader.int32()) + reader.at;
  const messages: FetchedRecord[] = [];
  // The last batch may be cut off at the response's size limit.
  while (reader.at + BATCH_HEAD <= end) {
    const size = reader.raw.readInt32BE(reader.at + 8) + BATCH_PREFIX;
    if (reader.at + size > end) break;
    if (!decodeBatch(reader, topic, partition, messages)) return null;
  }
  reader.at = end;
  const abortedTransactions: never[] = [];
  return {
    partition,
    errorCode,
    highWatermark,
    abortedTransactions,
    preferredReadReplica,
    messages,
  };
}

function decodeBatch(
  reader: Reader,
  topic: string,
  partition: number,
  into: FetchedRecord[],
): boolean {
  const { raw, at: start } = reader;
  const attributes = raw.readInt16BE(start + 21);
  if (raw[start + 16] !== MAGIC || (attributes & (COMPRESSION | SPECIAL)) !== 0) return false;
  const base = raw.readBigInt64BE(start);
  const first = Number(raw.readBigInt64BE(start + 27));
  const appended =
    (attributes & LOG_APPEND_TIME) === 0 ? -1 : Number(raw.readBigInt64BE(start + 35));
  reader.at = start + BATCH_HEAD;
  for (let count = raw.readInt32BE(start + 57); count > 0; count--) {
    const end = reader.varint() + reader.at;
    reader.at++;
    const time = reader.varint();
    const offset = base + BigInt(reader.varint());
    into.push(
      new FetchedRecord(topic, partition, offset, appended < 0 ? first + time : appended, reader),
    );
    reader.at = end;
  }
  return true;
}

/** A record over the bytes of its Fetch response. */
export class FetchedRecord implements LogRecord {
  readonly key: string;
  readonly value: Buffer;
  type = '';
  id = '';
  source = '';
  time = '';
  epoch = -1;
  again = false;
  /** What kafkajs expects of its messages. */
  readonly isControlRecord = false;
  private readonly raw: Buffer;
  private readonly headersAt: number;

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly offset: bigint,
    readonly timestamp: number,
    reader: Reader,
  ) {
    this.key = reader.text(reader.varint());
    this.value = reader.bytes(reader.varint());
    this.raw = reader.raw;
    this.headersAt = reader.at;
    for (let count = reader.varint(); count > 0; count--) this.header(reader);
  }

  get headers(): IHeaders {
    const reader = new Reader(this.raw, this.headersAt);
    const headers: IHeaders = {};
    for (let count = reader.varint(); count > 0; count--) {
      const name = reader.text(reader.varint());
      headers[name] = reader.bytes(reader.varint());
    }
    return headers;
  }

  private header(reader: Reader): void {
    const size = reader.varint();
    const name = reader.known(size);
    reader.at += size;
    const length = reader.varint();
    if (name === null) reader.at += Math.max(0, length);
    else this.set(name, reader.text(length));
  }

  private set(name: string, value: string): void {
    switch (name) {
      case RECORD_HEADERS.id:
        this.id = value;
        break;
      case RECORD_HEADERS.type:
        this.type = value;
        break;
      case RECORD_HEADERS.source:
        this.source = value;
        break;
      case RECORD_HEADERS.time:
        this.time = value;
        break;
      case RECORD_HEADERS.epoch:
        this.epoch = parseEpoch(value);
        break;
      case RECORD_HEADERS.again:
        this.again = value === AGAIN;
        break;
    }
  }
}

interface KnownHeader {
  name: string;
  bytes: Buffer;
}

/** The headers that become fields, by the length of their names. */
const KNOWN: KnownHeader[][] = [];
for (const field of ['id', 'type', 'source', 'time', 'epoch', 'again'] as const) {
  const name = RECORD_HEADERS[field];
  (KNOWN[name.length] ??= []).push({ name, bytes: Buffer.from(name) });
}

/** Reads numbers and text from a response. */
class Reader {
  constructor(
    readonly raw: Buffer,
    public at = 0,
  ) {}

  int16(): number {
    this.at += 2;
    return this.raw.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.raw.readInt32BE(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.raw.readBigInt64BE(this.at - 8);
  }

  /** Zigzag varint of up to 53 bits. */
  varint(): number {
    let byte = this.raw[this.at++]!;
    let value = byte & 0x7f;
    for (let factor = 128; byte > 0x7f; factor *= 128) {
      byte = this.raw[this.at++]!;
      value += (byte & 0x7f) * factor;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  string16(): string {
    return this.text(this.int16());
  }

  /** The next `size` bytes as text; empty when the size is negative (null). */
  text(size: number): string {
    if (size <= 0) return '';
    const from = this.at;
    this.at += size;
    return this.raw.toString('utf8', from, this.at);
  }

  bytes(size: number): Buffer {
    if (size <= 0) return NOTHING;
    this.at += size;
    return this.raw.subarray(this.at - size, this.at);
  }

  /** The name of the header at this place, if it becomes a field. Does not advance. */
  known(size: number): string | null {
    for (const { name, bytes } of KNOWN[size] ?? []) {
      let i = 0;
      while (i < size && bytes[i] === this.raw[this.at + i]) i++;
      if (i === size) return name;
    }
    return null;
  }
}
