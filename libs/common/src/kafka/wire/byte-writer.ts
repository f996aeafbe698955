const FIRST_SIZE = 4_096;

/** A growing buffer with Kafka's primitive types (big endian, zigzag varints). */
export class ByteWriter {
  private buffer = Buffer.allocUnsafe(FIRST_SIZE);
  /** Bytes written so far: the place of the next write. */
  length = 0;

  /** What was written; valid until the next write or {@link reset}. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  reset(): void {
    this.length = 0;
  }

  /** Undoes everything that was written from this place on. */
  backTo(place: number): void {
    this.length = place;
  }

  /** Makes room for `more` bytes. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  int8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value & 0xff;
  }

  int16(value: number): void {
    this.reserve(2);
    this.length = this.buffer.writeInt16BE(value, this.length);
  }

  int32(value: number): void {
    this.reserve(4);
    this.length = this.buffer.writeInt32BE(value, this.length);
  }

  int64(value: bigint): void {
    this.reserve(8);
    this.length = this.buffer.writeBigInt64BE(value, this.length);
  }

  /** Overwrites four bytes written earlier. */
  int32At(place: number, value: number): void {
    this.buffer.writeInt32BE(value | 0, place);
  }

  /** Signed 32-bit integer as zigzag varint. */
  varint(value: number): void {
    this.reserve(5);
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.buffer[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[this.length++] = rest;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** UTF-8 text after a 16-bit length. */
  string16(text: string): void {
    this.int16(Buffer.byteLength(text));
    this.utf8(text);
  }

  /** UTF-8 text, or bytes, after a varint length. */
  varbytes(value: string | Uint8Array): void {
    if (typeof value === 'string') {
      const size = Buffer.byteLength(value);
      this.varint(size);
      this.reserve(size);
      this.length += this.buffer.write(value, this.length, size, 'utf8');
    } else {
      this.varint(value.length);
      this.raw(value);
    }
  }

  /** Puts a varint length in front of everything written since `start`. */
  varintBefore(start: number): void {
    const size = this.length - start;
    const prefix = varintSize(size);
    this.reserve(prefix);
    this.buffer.copyWithin(start + prefix, start, start + size);
    this.length = start;
    this.varint(size);
    this.length += size;
  }

  private utf8(text: string): void {
    const size = Buffer.byteLength(text);
    this.reserve(size);
    this.length += this.buffer.write(text, this.length, size, 'utf8');
  }
}

/** Bytes of a non-negative number as zigzag varint. */
function varintSize(value: number): number {
  let bytes = 1;
  for (let rest = value * 2; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
