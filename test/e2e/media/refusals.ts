import { connect } from 'node:net';
import { eventually } from '../../support/eventually';
import { bombGif, bombPng } from '../../support/pictures';
import { smallPng, upload } from '../../support/uploads';
import { type Given, keptFiles } from './media-support';

/** The code that belongs to each status here. */
const CODES: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  413: 'payload_too_large',
  415: 'unsupported_media',
  422: 'unsupported_media',
};

/** What is not taken, and leaves no file. */
export function refusalTests(given: () => Given): void {
  const HTML = '<html><script>alert(1)</script></html>';
  const SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>';
  it.each([
    ['a PNG of 196 megapixels', () => bombPng(14_000, 14_000), 'image/png', 413],
    ['a GIF of many frames', () => bombGif(4_000, 4_000, 3), 'image/gif', 413],
    ['a script that begins like a GIF', () => Buffer.from('GIF89a=1;alert(1)//'), 'image/gif', 422],
    ['an SVG', () => Buffer.from(SVG), 'image/svg+xml', 415],
    ['a page called JPEG', () => Buffer.from(HTML), 'image/jpeg', 415],
    ['an image over its limit', () => over(10 * 1024 * 1024 + 1), 'image/jpeg', 413],
    ['nothing', () => Buffer.alloc(0), 'text/plain', 400],
    ['nothing called image', () => Buffer.alloc(0), 'image/png', 415],
  ])('%s', async (_, bytes, type, status) => {
    const { stack, ann, chat } = given();
    const before = keptFiles(stack);
    const answer = await upload(ann, chat.id, bytes(), type);
    expect([answer.status, answer.body.code]).toEqual([status, CODES[status]]);
    expect(answer.body.mediaId).toBeUndefined();
    expect(keptFiles(stack)).toEqual(before);
  });

  function over(size: number): Buffer {
    const bytes = Buffer.alloc(size);
    bytes.set([0xff, 0xd8, 0xff, 0xe0]);
    return bytes;
  }

  it('100 MB, with and without a length', async () => {
    const { stack, ann, chat } = given();
    const before = keptFiles(stack);
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const stream = ReadableStream.from(
      (function* () {
        for (let i = 0; i < 100; i++) yield piece;
      })(),
    ) as ReadableStream<Uint8Array>;
    for (const bytes of [stream, Buffer.alloc(100e6)]) {
      const { status, body } = await upload(ann, chat.id, bytes, 'application/zip');
      expect([status, body.code]).toEqual([413, CODES[413]]);
    }
    expect(keptFiles(stack)).toEqual(before);
  });

  it('a body that breaks off, and one of which the rest never comes', async () => {
    const { stack, ann, chat } = given();
    const before = keptFiles(stack);
    const { port } = new URL(ann.bases[0]!);
    const head =
      `POST /v1/media HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000000\r\n` +
      `Authorization: Bearer ${ann.accessToken}\r\nX-Conversation-Id: ${chat.id}\r\n\r\n`;
    const png = await smallPng();
    const begin = () => {
      const socket = connect(Number(port), '127.0.0.1').resume();
      socket.on('error', () => undefined);
      socket.write(Buffer.concat([Buffer.from(head), png]));
      return socket;
    };
    const sockets = [begin(), begin()];
    await eventually(() => expect(keptFiles(stack).length).toBe(before.length + 2));
    sockets[0]!.destroy();
    await eventually(() => expect(keptFiles(stack).length).toBe(before.length + 1));
    let answer = '';
    sockets[1]!.on('data', (data: Buffer) => (answer += data.toString()));
    const refused = /^HTTP\/1\.1 408 [^]*"code":"invalid_request"/;
    await eventually(() => expect(answer).toMatch(refused), 15_000);
    expect(keptFiles(stack)).toEqual(before);
    sockets[1]!.destroy();
  });

  it('a conversation of others, an unknown one, none, and bytes that are packed', async () => {
    const { stack, ann, eve, chat } = given();
    const before = keptFiles(stack);
    const png = await smallPng();
    const tries = await Promise.all([
      upload(eve, chat.id, png, 'image/png'),
      upload(ann, 'A'.repeat(43), png, 'image/png'),
      upload(ann, '../..', png, 'image/png'),
      upload(ann, chat.id, png, 'image/png', { 'content-encoding': 'gzip' }),
    ]);
    expect(tries.map(({ status, body }) => [status, body.code])).toEqual([
      [404, 'no_such_conversation'],
      [404, 'no_such_conversation'],
      [400, 'invalid_request'],
      [415, 'unsupported_media'],
    ]);
    expect(keptFiles(stack)).toEqual(before);
  });
}
