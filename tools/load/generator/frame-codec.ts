/** Opcodes of RFC 6455 §5.2. */
export const OPCODES = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

const FIN = 0x80;
const MASKED = 0x80;
const MASK_BYTES = 4;
const MAX_CONTROL_BYTES = 125;
/** RFC 6455 §7.4.1: no code was in the close frame. */
const NO_STATUS = 1005;

/** The server broke RFC 6455; the message says how. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Bytes before the payload of a client frame, mask included. */
export function clientHeaderBytes(payloadBytes: number): number {
  return 2 + (payloadBytes < 126 ? 0 : payloadBytes < 0x1_0000 ? 2 : 8) + MASK_BYTES;
}

/**
 * A whole client frame. The masking key is 0, so the payload stands in it as it is and a prepared
 * frame can be sent again and again with a few bytes changed. (Browsers need random keys against
 * confused proxies; a load generator on loopback does not.)
 */
export function encodeClientFrame(payload: Uint8Array, opcode: number = OPCODES.text): Buffer {
  const header = clientHeaderBytes(payload.length);
  const frame = Buffer.alloc(header + payload.length);
  frame[0] = FIN | opcode;
  if (payload.length < 126) {
    frame[1] = MASKED | payload.length;
  } else if (payload.length < 0x1_0000) {
    frame[1] = MASKED | 126;
    frame.writeUInt16BE(payload.length, 2);
  } else {
    frame[1] = MASKED | 127;
    frame.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  frame.set(payload, header);
  return frame;
}

/** The payload of a close frame. */
export function closePayload(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return payload;
}

/** What a decoder hands on. */
export interface FrameSink {
  /** A whole text message: bytes [start, end) of `bytes`, valid only during the call. */
  text(bytes: Buffer, start: number, end: number): void;
  /** A ping, to be answered with the same payload (RFC 6455 §5.5.2). */
  ping(payload: Buffer): void;
  /** The server's close frame; 1005 when it had no code. */
  close(code: number, reason: string): void;
}

/**
 * Decodes the frames of a server: unmasked, without extensions, fragmented or not, cut anywhere.
 * `push` throws {@link FrameError} on anything that RFC 6455 forbids a server; then the socket is
 * of no more use.
 */
export class FrameDecoder {
  private carry: Buffer | null = null;
  private fragments: Buffer[] = [];
  private fragmentBytes = 0;

  constructor(
    private readonly sink: FrameSink,
    /** larger messages are refused */
    private readonly maxMessageBytes: number,
  ) {}

  /** Takes the first `length` bytes of a chunk; what is incomplete is copied and kept. */
  push(chunk: Buffer, length: number = chunk.length): void {
    let bytes = chunk;
    let end = length;
    if (this.carry !== null) {
      bytes = Buffer.concat([this.carry, chunk.subarray(0, length)]);
      end = bytes.length;
      this.carry = null;
    }
    let at = 0;
    while (at < end) {
      const next = this.frame(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    if (at < end) this.carry = Buffer.from(bytes.subarray(at, end));
  }

  /** Handles the frame that begins at `at`; gives the offset behind it, -1 when it is incomplete. */
  private frame(bytes: Buffer, at: number, end: number): number {
    if (end - at < 2) return -1;
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    if ((first & 0x70) !== 0) throw new FrameError('a reserved bit is set');
    if ((second & MASKED) !== 0) throw new FrameError('a server frame is masked');
    let length = second & 0x7f;
    let start = at + 2;
    if (length === 126) {
      start += 2;
      if (start > end) return -1;
      length = bytes.readUInt16BE(at + 2);
    } else if (length === 127) {
      start += 8;
      if (start > end) return -1;
      length = Number(bytes.readBigUInt64BE(at + 2));
    }
    if (length > this.maxMessageBytes) throw new FrameError(`a frame of ${length} bytes`);
    const after = start + length;
    if (after > end) return -1;
    const fin = (first & FIN) !== 0;
    const opcode = first & 0x0f;
    if (opcode >= OPCODES.close) this.control(opcode, fin, bytes.subarray(start, after));
    else this.data(opcode, fin, bytes, start, after);
    return after;
  }

  private data(opcode: number, fin: boolean, bytes: Buffer, start: number, end: number): void {
    const continues = this.fragments.length > 0;
    if (opcode === OPCODES.text && !continues) {
      if (fin) this.sink.text(bytes, start, end);
      else this.keep(bytes, start, end);
      return;
    }
    if (opcode !== OPCODES.continuation || !continues) {
      throw new FrameError(`opcode ${opcode} is not expected here`);
    }
    this.keep(bytes, start, end);
    if (!fin) return;
    const message = Buffer.concat(this.fragments);
    this.fragments = [];
    this.fragmentBytes = 0;
    this.sink.text(message, 0, message.length);
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    this.fragmentBytes += end - start;
    if (this.fragmentBytes > this.maxMessageBytes) throw new FrameError('a message is too large');
    this.fragments.push(Buffer.from(bytes.subarray(start, end)));
  }

  private control(opcode: number, fin: boolean, payload: Buffer): void {
    if (!fin) throw new FrameError('a control frame is fragmented');
    if (payload.length > MAX_CONTROL_BYTES) throw new FrameError('a control frame is too long');
    if (opcode === OPCODES.ping) this.sink.ping(Buffer.from(payload));
    else if (opcode === OPCODES.close) this.close(payload);
    else if (opcode !== OPCODES.pong) throw new FrameError(`opcode ${opcode} is unknown`);
  }

  private close(payload: Buffer): void {
    if (payload.length === 0) this.sink.close(NO_STATUS, '');
    else if (payload.length === 1) throw new FrameError('a close frame of one byte');
    else this.sink.close(payload.readUInt16BE(0), payload.toString('utf8', 2));
  }
}
