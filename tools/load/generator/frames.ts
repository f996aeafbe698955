import { clientHeaderBytes, encodeClientFrame } from './frame-codec';

const TEXT_KEY = '"text":"';
const NO_ID = '00000000-0000-7000-8000-000000000000';
/** Digits of the message's number at the start of its text. */
export const NUMBER_DIGITS = 8;
const WORDS = 'the quick brown fox jumps over the lazy dog and then goes on to the next line ';

/** The part of a text that is the same in every message: words, `bytes` long. */
export function fillerText(bytes: number): string {
  return WORDS.repeat(Math.ceil(bytes / WORDS.length)).slice(0, bytes);
}

/** Text of a message: its number, then filler; shows cut or exchanged bodies at the receiver. */
export function messageText(sequence: number, filler: string): string {
  return sequence.toString(16).padStart(NUMBER_DIGITS, '0') + filler;
}

/** The `send` frame of one conversation, encoded once; per message only id and number are written in. */
export class SendTemplate {
  private readonly frame: Buffer;
  private readonly idAt: number;
  private readonly numberAt: number;

  constructor(conversationId: string, filler: string) {
    const text = messageText(0, filler);
    const json = JSON.stringify({
      type: 'send',
      messageId: NO_ID,
      conversationId,
      content: { kind: 'text', text },
    });
    const payload = Buffer.from(json, 'latin1');
    const header = clientHeaderBytes(payload.length);
    this.frame = encodeClientFrame(payload);
    this.idAt = header + json.indexOf(NO_ID);
    this.numberAt = header + json.indexOf(TEXT_KEY) + TEXT_KEY.length;
  }

  /** A frame of its own memory, ready for the socket. */
  encode(messageId: string): Buffer {
    const frame = Buffer.from(this.frame);
    frame.write(messageId, this.idAt, 'latin1');
    // the last 8 digits of an id are the message's number
    frame.write(messageId.slice(-NUMBER_DIGITS), this.numberAt, 'latin1');
    return frame;
  }
}

/** A frame of a repeated send: the server looks its id up before it appends. */
export function encodeRetry(conversationId: string, messageId: string, text: string): Buffer {
  const content = { kind: 'text', text };
  const frame = { type: 'send', messageId, conversationId, content, retry: true };
  return encodeClientFrame(Buffer.from(JSON.stringify(frame)));
}
