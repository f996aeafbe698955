/** First byte of a whole text message: FIN and opcode 1. */
const TEXT = 0x81;
/** Lengths that stand in the second byte itself; the two codes for longer ones. */
const SHORT = 125;
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

/**
 * A text frame as a server sends it (RFC 6455, section 5.2: whole, unmasked), header and payload in
 * one buffer: one piece of memory for one write, which many sockets may share. `payload`: text, or its
 * bytes in UTF-8; `more`: bytes of the payload that its sender writes behind.
 */
export function textFrame(payload: string | Buffer, more = 0): Buffer {
  const first = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
  const length = first + more;
  const head = length <= SHORT ? 2 : length <= 0xffff ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + first);
  frame[0] = TEXT;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = TWO_BYTES;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = EIGHT_BYTES;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  if (typeof payload === 'string') frame.write(payload, head, 'utf8');
  else payload.copy(frame, head);
  return frame;
}
