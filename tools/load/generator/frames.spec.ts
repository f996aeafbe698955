import { parseClientFrame } from '@tidings/protocol/frames';
import { uuid } from '@tidings/protocol/ids';
import { seededRandom } from '../random';
import { clientHeaderBytes } from './frame-codec';
import { FrameScanner, KINDS } from './frame-scan';
import { SendTemplate, encodeRetry, fillerText, messageText } from './frames';
import { MessageIds } from './message-ids';

const CONVERSATION = 'abc_DEF-123';

function scan(text: string): { kind: number; scanner: FrameScanner } {
  const scanner = new FrameScanner();
  const bytes = Buffer.from(`##${text}##`);
  return { kind: scanner.scan(bytes, 2, bytes.length - 2), scanner };
}

describe('MessageIds', () => {
  const ids = new MessageIds(seededRandom(1));

  it('makes valid UUIDv7 that carry number and time', () => {
    const id = ids.make(77, 1_763_700_000_123);
    expect(uuid.safeParse(id).success).toBe(true);
    expect(id[14]).toBe('7');
    expect('89ab').toContain(id[19]);
    expect(ids.sequenceOf(id)).toBe(77);
    expect(ids.timeOf(id)).toBe(1_763_700_000_123);
  });

  it('rises with time and number', () => {
    const made = [ids.make(1, 1000), ids.make(2, 1000), ids.make(3, 1001)];
    expect([...made].sort()).toEqual(made);
  });

  it('knows its own only', () => {
    const other = new MessageIds(seededRandom(2));
    expect(ids.sequenceOf(other.make(5, 1000))).toBe(-1);
    expect(ids.sequenceOf('not an id')).toBe(-1);
  });
});

describe('SendTemplate', () => {
  it.each([8, 128, 200, 16_384])(
    'makes frames that the server takes, %i bytes of text',
    (bytes) => {
      const filler = fillerText(bytes - 8);
      const id = new MessageIds(seededRandom(3)).make(0xabcdef, Date.now());
      const frame = new SendTemplate(CONVERSATION, filler).encode(id);
      const json = frame.subarray(
        clientHeaderBytes(frame.length > 65_000 ? 65_536 : frame.length - 8),
      );
      const text = messageText(0xabcdef, filler);
      expect(parseClientFrame(json.toString())).toEqual({
        frame: {
          type: 'send',
          messageId: id,
          conversationId: CONVERSATION,
          content: { kind: 'text', text },
        },
      });
      expect(Buffer.byteLength(text)).toBe(bytes);
    },
  );

  it('gives every message memory of its own', () => {
    const template = new SendTemplate(CONVERSATION, fillerText(20));
    const ids = new MessageIds(seededRandom(4));
    const first = template.encode(ids.make(1, 1000));
    const before = first.toString();
    template.encode(ids.make(2, 1000));
    expect(first.toString()).toBe(before);
  });

  it('marks a repeated send', () => {
    const id = new MessageIds(seededRandom(5)).make(1, 1000);
    const frame = encodeRetry(CONVERSATION, id, 'x');
    const json = frame.subarray(clientHeaderBytes(200)).toString();
    expect(parseClientFrame(json)).toMatchObject({ frame: { messageId: id, retry: true } });
  });
});

describe('FrameScanner', () => {
  const id = new MessageIds(seededRandom(6)).make(9, 1_763_700_000_000);
  const text = messageText(9, fillerText(120));
  const message = {
    type: 'message',
    conversationId: CONVERSATION,
    position: '1041',
    previous: '1038',
    messageId: id,
    senderId: '01890a5d-ac96-774b-bcce-b302099a8057',
    content: { kind: 'text', text },
    sentAt: '2026-11-21T10:00:00.000Z',
    version: '0',
  };

  const { type, ...rest } = message;

  it('reads a message as JSON.parse does', () => {
    const { kind, scanner } = scan(JSON.stringify(message));
    expect(kind).toBe(KINDS.message);
    expect(scanner).toMatchObject({ messageId: id, position: 1041, previous: 1038, text });
  });

  it('reads an unknown previous as NaN', () => {
    const { kind, scanner } = scan(JSON.stringify({ ...message, previous: null }));
    expect(kind).toBe(KINDS.message);
    expect(scanner.previous).toBeNaN();
  });

  it('reads sent', () => {
    const frame = { type: 'sent', messageId: id, conversationId: CONVERSATION, position: '7' };
    const { kind, scanner } = scan(JSON.stringify(frame));
    expect(kind).toBe(KINDS.sent);
    expect(scanner).toMatchObject({ messageId: id, position: 7 });
  });

  it.each([
    ['another type', JSON.stringify({ ...message, type: 'changed' })],
    ['another order of keys', JSON.stringify({ ...rest, type })],
    ['no position', JSON.stringify({ ...message, position: undefined })],
    ['a position that is no number', JSON.stringify({ ...message, position: '12a' })],
    ['a position beyond 2^53', JSON.stringify({ ...message, position: '9007199254740993' })],
    ['a short id', JSON.stringify({ ...message, messageId: id.slice(1) })],
    ['no previous', JSON.stringify({ ...message, previous: undefined })],
    ['a cut frame', JSON.stringify(message).slice(0, 120)],
  ])('leaves to the JSON parser: %s', (_, frame) => {
    expect(scan(frame).kind).toBe(KINDS.other);
  });
});
