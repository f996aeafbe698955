import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { textFrame } from './text-frame';

/** Not in the types of `ws`. */
const { Receiver } = WebSocket as unknown as {
  Receiver: new (options: { isServer: boolean }) => Writable;
};

/** What a client's receiver of `ws` makes of the bytes. */
async function received(bytes: Buffer): Promise<string> {
  const receiver = new Receiver({ isServer: false });
  const message = once(receiver, 'message');
  receiver.write(bytes);
  const [data, isBinary] = (await message) as [Buffer, boolean];
  expect(isBinary).toBe(false);
  return data.toString();
}

describe('a text frame', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 300_000])('of %i bytes is read', async (length) => {
    const text = 'x'.repeat(length);
    expect(await received(textFrame(text))).toBe(text);
    expect(textFrame(Buffer.from(text))).toEqual(textFrame(text));
    const rest = Buffer.from(text);
    const whole = Buffer.concat([textFrame(`{${text}`, rest.length), rest]);
    expect(whole).toEqual(textFrame(`{${text}${text}`));
  });

  it('counts bytes, not characters', async () => {
    const text = '語'.repeat(42);
    expect(text.length * 3).toBeGreaterThan(125);
    expect(await received(textFrame(text))).toBe(text);
  });
});
