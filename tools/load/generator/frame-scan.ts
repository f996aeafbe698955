/** What a received frame is to the generator. */
export const KINDS = { message: 0, sent: 1, other: 2 } as const;
export type Kind = (typeof KINDS)[keyof typeof KINDS];

const MESSAGE_HEAD = '{"type":"message",';
const SENT_HEAD = '{"type":"sent",';
const ID_KEY = '"messageId":"';
const POSITION_KEY = '"position":"';
const PREVIOUS_KEY = '"previous":';
const TEXT_KEY = '"text":"';
const ID_CHARS = 36;
const QUOTE = 34;
const ZERO = 48;

/**
 * Finds the few fields that a generator needs in `message` and `sent` frames without parsing JSON.
 * Exact for the traffic of the generator itself: its texts hold no quotes, so that a key of the
 * frame cannot be mistaken; whatever does not have the expected form is `other` and is parsed as
 * JSON by the caller. Fields hold the values of the last frame (no object per frame).
 */
export class FrameScanner {
  messageId = '';
  /** exact up to 2^53; larger ones make the frame `other` */
  position = 0;
  /** NaN: null */
  previous = 0;
  /** the message's text; empty for `sent` */
  text = '';

  /** Scans the frame in bytes [start, end). */
  scan(bytes: Buffer, start: number, end: number): Kind {
    const frame = bytes.toString('latin1', start, end);
    if (frame.startsWith(MESSAGE_HEAD)) return this.message(frame) ? KINDS.message : KINDS.other;
    if (frame.startsWith(SENT_HEAD)) return this.common(frame) ? KINDS.sent : KINDS.other;
    return KINDS.other;
  }

  private message(frame: string): boolean {
    if (!this.common(frame)) return false;
    const textAt = frame.indexOf(TEXT_KEY) + TEXT_KEY.length;
    const textEnd = frame.indexOf('"', textAt);
    if (textAt < TEXT_KEY.length || textEnd < 0) return false;
    this.text = frame.slice(textAt, textEnd);
    const at = frame.indexOf(PREVIOUS_KEY) + PREVIOUS_KEY.length;
    if (at < PREVIOUS_KEY.length) return false;
    if (frame.startsWith('null', at)) {
      this.previous = Number.NaN;
      return true;
    }
    this.previous = quotedNumber(frame, at + 1);
    return frame.charCodeAt(at) === QUOTE && this.previous >= 0;
  }

  private common(frame: string): boolean {
    const idAt = frame.indexOf(ID_KEY) + ID_KEY.length;
    if (idAt < ID_KEY.length || frame.charCodeAt(idAt + ID_CHARS) !== QUOTE) return false;
    const at = frame.indexOf(POSITION_KEY) + POSITION_KEY.length;
    if (at < POSITION_KEY.length) return false;
    this.messageId = frame.slice(idAt, idAt + ID_CHARS);
    this.position = quotedNumber(frame, at);
    this.text = '';
    return this.position >= 0;
  }
}

/** The number from `at` up to a quote; -1 when it is none or not exact as a double. */
function quotedNumber(text: string, at: number): number {
  let value = 0;
  let i = at;
  for (; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  const exact = i > at && text.charCodeAt(i) === QUOTE && value <= Number.MAX_SAFE_INTEGER;
  return exact ? value : -1;
}
