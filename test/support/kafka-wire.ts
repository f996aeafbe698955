/** Reads Kafka's wire format, independently of the code under test. */
export class WireReader {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  int8(): number {
    return this.bytes.readInt8(this.move(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.move(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.move(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.move(8));
  }

  varint(): number {
    let result = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.move(1)]!;
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return Number((result >> 1n) ^ -(result & 1n));
  }

  take(size: number): Buffer {
    const from = this.move(size);
    return this.bytes.subarray(from, from + size);
  }

  string(): string {
    const size = this.int16();
    return size < 0 ? '' : this.take(size).toString();
  }

  varString(): string {
    return this.take(this.varint()).toString();
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read);
  }

  private move(size: number): number {
    const from = this.at;
    this.at += size;
    if (this.at > this.bytes.length) throw new RangeError('read past the end');
    return from;
  }
}

/** Writes Kafka's wire format. */
export class WireWriter {
  private readonly parts: Buffer[] = [];

  int8(value: number): this {
    return this.put(1, (b) => b.writeInt8(value));
  }

  int16(value: number): this {
    return this.put(2, (b) => b.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.put(4, (b) => b.writeInt32BE(value));
  }

  int64(value: bigint): this {
    return this.put(8, (b) => b.writeBigInt64BE(value));
  }

  string(value: string): this {
    const bytes = Buffer.from(value);
    this.int16(bytes.length);
    this.parts.push(bytes);
    return this;
  }

  array<T>(items: readonly T[], write: (item: T, index: number) => void): this {
    this.int32(items.length);
    items.forEach(write);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }

  private put(size: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(size);
    write(bytes);
    this.parts.push(bytes);
    return this;
  }
}

export interface WireRecord {
  key: string;
  value: string;
  headers: Record<string, string>;
}

/** Decodes one record batch, version 2, and checks its lengths, counts and checksum. */
export function decodeRecordBatch(bytes: Buffer): WireRecord[] {
  const reader = new WireReader(bytes);
  reader.int64();
  if (reader.int32() !== bytes.length - 12) throw new Error('batch length is wrong');
  reader.int32();
  if (reader.int8() !== 2) throw new Error('magic is not 2');
  const crc = reader.int32() >>> 0;
  if (crc !== slowCrc32c(bytes.subarray(reader.at))) throw new Error('checksum is wrong');
  if (reader.int16() !== 0) throw new Error('attributes are not 0');
  const lastDelta = reader.int32();
  reader.take(8 + 8);
  if (reader.int64() !== -1n) throw new Error('producer id is set');
  reader.take(2 + 4);
  const records: WireRecord[] = [];
  for (let count = reader.int32(); count > 0; count--) {
    records.push(decodeRecord(new WireReader(reader.take(reader.varint())), records.length));
  }
  if (reader.at !== bytes.length) throw new Error('bytes behind the last record');
  if (lastDelta !== records.length - 1) throw new Error('last offset delta is wrong');
  return records;
}

function decodeRecord(reader: WireReader, index: number): WireRecord {
  reader.int8();
  if (reader.varint() !== 0) throw new Error('timestamp delta is not 0');
  if (reader.varint() !== index) throw new Error('offset delta is wrong');
  const key = reader.varString();
  const value = reader.varString();
  const headers: Record<string, string> = {};
  for (let count = reader.varint(); count > 0; count--) {
    const name = reader.varString();
    headers[name] = reader.varString();
  }
  if (reader.at !== reader.bytes.length) throw new Error('bytes behind the headers');
  return { key, value, headers };
}

/** CRC-32C bit by bit. */
export function slowCrc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
