import { RECORD_HEADERS } from '../../log-events/events';
import { ByteWriter } from './byte-writer';
import { crc32c } from './crc32c';
import type { ProtocolRequest } from './kafkajs-internals';
import { AGAIN, CONTENT_TYPE, SPEC_VERSION, type OutRecord } from '../../log-events/record';

/** A record with its mark, as it is written into a batch. */
export interface EncodableRecord {
  record: OutRecord;
  again: boolean;
}

/** What the broker answers for one partition of a produce request. */
export interface PartitionAnswer {
  partition: number;
  /** Kafka error code, 0 = appended. */
  errorCode: number;
  /** Offset of the first record; negative if the broker did not say. */
  baseOffset: bigint;
  /** The broker's append time in Unix milliseconds; -1 if the topic keeps the writer's time. */
  appendTime: number;
}

const PRODUCE_API = 0;
const PRODUCE_VERSION = 7;
const MAGIC = 2;
const NO_PRODUCER = -1n;
/** Bytes from the start of a batch to its checksum, and to the first byte that the checksum covers. */
const CRC_AT = 17;
const CRC_FROM = 21;
/** A record of a batch that cannot be written: a field does not have its declared type. */
export class UnencodableRecord extends Error {
  override readonly name = 'UnencodableRecord';

  constructor(
    /** Its place in the batch. */
    readonly index: number,
    cause: unknown,
  ) {
    super('a record cannot be encoded', { cause });
  }
}

/** There are few types (one per event); bounded anyway. */
const CACHED_TYPES = 256;

/**
 * Encodes produce requests (version 7) with one record batch per partition, into one buffer that is
 * reused. kafkajs' own encoder allocates a zeroed buffer per record and per header. Formats:
 * https://kafka.apache.org/documentation/#recordbatch and protocol.html#The_Messages_Produce
 */
export class ProduceEncoder {
  private readonly out = new ByteWriter();
  private readonly fixedHeaders: Buffer;
  private readonly idName = name(RECORD_HEADERS.id);
  private readonly timeName = name(RECORD_HEADERS.time);
  private readonly againHeader = header(RECORD_HEADERS.again, AGAIN);
  private readonly typeHeaders = new Map<string, Buffer>();
  private partitionCountAt = 0;
  private partitionCount = 0;

  constructor(
    private readonly topic: string,
    origin: { source: string; epoch: number },
  ) {
    this.fixedHeaders = Buffer.concat([
      header(RECORD_HEADERS.specVersion, SPEC_VERSION),
      header(RECORD_HEADERS.contentType, CONTENT_TYPE),
      header(RECORD_HEADERS.source, origin.source),
      header(RECORD_HEADERS.epoch, String(origin.epoch)),
    ]);
  }

  /** Begins a request. `timeoutMs` is how long the leader may wait for its replicas. */
  begin(timeoutMs: number): void {
    const { out } = this;
    out.reset();
    out.int16(-1); // no transactional id
    out.int16(-1); // acks: all in-sync replicas
    out.int32(timeoutMs);
    out.int32(1);
    out.string16(this.topic);
    this.partitionCountAt = out.length;
    this.partitionCount = 0;
    out.int32(0);
  }

  /**
   * Adds one partition's records, in order. `now` is their time in Unix milliseconds. Throws {@link
   * UnencodableRecord}; then the request has nothing of this partition.
   */
  add(partition: number, records: readonly EncodableRecord[], now: number): void {
    const { out } = this;
    const before = out.length;
    out.int32(partition);
    const sizeAt = out.length;
    out.int32(0);
    const start = out.length;
    this.batchHeader(records.length, BigInt(now));
    for (let i = 0; i < records.length; i++) {
      try {
        this.recordBody(records[i]!, i);
      } catch (error) {
        out.backTo(before);
        throw new UnencodableRecord(i, error);
      }
    }
    const bytes = out.bytes();
    out.int32At(sizeAt, out.length - start);
    out.int32At(start + 8, out.length - start - 12);
    out.int32At(start + CRC_AT, crc32c(bytes, start + CRC_FROM, out.length));
    this.partitionCount++;
  }

  /** Bytes of the request so far. */
  get size(): number {
    return this.out.length;
  }

  /** The request, ready for a broker's connection. It is encoded (copied) when it is sent. */
  request(): ProtocolRequest<PartitionAnswer[]> {
    this.out.int32At(this.partitionCountAt, this.partitionCount);
    const bytes = Buffer.from(this.out.bytes());
    return {
      request: {
        apiKey: PRODUCE_API,
        apiVersion: PRODUCE_VERSION,
        apiName: 'Produce',
        encode: () => Promise.resolve({ buf: bytes, buffer: bytes }),
      },
      response: {
        decode: (raw) => Promise.resolve(decodeAnswer(raw)),
        parse: (data) => Promise.resolve((data as DecodedAnswer).partitions),
      },
    };
  }

  private batchHeader(count: number, now: bigint): void {
    const { out } = this;
    out.int64(0n); // base offset: given by the broker
    out.int32(0); // length, filled in later
    out.int32(-1); // leader epoch
    out.int8(MAGIC);
    out.int32(0); // checksum, filled in later
    out.int16(0); // no compression, create time
    out.int32(count - 1);
    out.int64(now);
    out.int64(now);
    out.int64(NO_PRODUCER);
    out.int16(-1);
    out.int32(-1);
    out.int32(count);
  }

  private recordBody({ record, again }: EncodableRecord, index: number): void {
    const { out } = this;
    const start = out.length;
    out.int8(0); // attributes
    out.varint(0); // time after the batch's
    out.varint(index);
    out.varbytes(record.key);
    out.varbytes(record.value);
    const extra = record.headers ? Object.entries(record.headers) : [];
    out.varint(7 + (again ? 1 : 0) + extra.length);
    out.raw(this.fixedHeaders);
    out.raw(this.typeHeader(record.type));
    out.raw(this.idName);
    out.varbytes(record.id);
    out.raw(this.timeName);
    out.varbytes(record.time);
    if (again) out.raw(this.againHeader);
    for (const [key, value] of extra) {
      out.varbytes(key);
      out.varbytes(value);
    }
    out.varintBefore(start);
  }

  private typeHeader(type: string): Buffer {
    let encoded = this.typeHeaders.get(type);
    if (!encoded) {
      encoded = header(RECORD_HEADERS.type, type);
      if (this.typeHeaders.size < CACHED_TYPES) this.typeHeaders.set(type, encoded);
    }
    return encoded;
  }
}

interface DecodedAnswer {
  partitions: PartitionAnswer[];
  clientSideThrottleTime: number;
}

/** Decodes a produce response, version 7, to a request with one topic. */
function decodeAnswer(raw: Buffer): DecodedAnswer {
  const partitions: PartitionAnswer[] = [];
  let at = 4;
  for (let topics = raw.readInt32BE(0); topics > 0; topics--) {
    at += 2 + raw.readInt16BE(at);
    const count = raw.readInt32BE(at);
    at += 4;
    for (let i = 0; i < count; i++, at += 30) {
      partitions.push({
        partition: raw.readInt32BE(at),
        errorCode: raw.readInt16BE(at + 4),
        baseOffset: raw.readBigInt64BE(at + 6),
        appendTime: Number(raw.readBigInt64BE(at + 14)),
      });
    }
  }
  return { partitions, clientSideThrottleTime: raw.readInt32BE(at) };
}

function header(key: string, value: string): Buffer {
  const out = new ByteWriter();
  out.varbytes(key);
  out.varbytes(value);
  return Buffer.from(out.bytes());
}

function name(key: string): Buffer {
  const out = new ByteWriter();
  out.varbytes(key);
  return Buffer.from(out.bytes());
}
