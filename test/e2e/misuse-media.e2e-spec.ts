import { randomBytes } from 'node:crypto';
import { deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import type { Conversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { LeftBehind } from '../support/left-behind';
import { bombGif, bombPng, pngOf, withChunk } from '../support/pictures';
import { chunk, rawUpload } from '../support/raw-upload';
import { startTestStack } from '../support/test-stack';
import { smallPng, upload } from '../support/uploads';

const MIB = 1024 * 1024;
const PAGE = '<html><script>alert(1)</script></html>';
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>';

/** What is uploaded to do harm. (Simpler ones, broken bodies, EXIF: media.e2e-spec.) */
describe('misuse of uploads', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let left: LeftBehind;
  let ann: ChatUser;
  let eve: ChatUser;
  let chat: Conversation;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    left = await LeftBehind.of(stack);
    [ann, eve] = [
      await ChatUser.create(stack.gatewayUrls),
      await ChatUser.create(stack.gatewayUrls),
    ];
    chat = await ann.direct(eve);
    await left.rest();
  }, 240_000);
  afterAll(async () => {
    await left?.close();
    await stop?.();
  });

  const image = (): ReturnType<typeof sharp> =>
    sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } });
  const after = async (head: Promise<Buffer>, tail: string | Buffer): Promise<Buffer> =>
    Buffer.concat([await head, Buffer.from(tail)]);

  it.each<[string, () => Buffer | Promise<Buffer>, string, number, string]>([
    [
      'a GIF of very many small frames',
      () => bombGif(100, 100, 4_001),
      'image/gif',
      413,
      'payload_too_large',
    ],
    ['a JPEG that claims to be huge', () => hugeJpeg(), 'image/jpeg', 413, 'payload_too_large'],
    [
      'a PNG of 2³¹ − 1 pixels a side',
      () => pngOf(2 ** 31 - 1, 2 ** 31 - 1, Buffer.alloc(9)),
      'image/png',
      422,
      'unsupported_media',
    ],
    ['a PNG of one long row', () => bombPng(1_000_000, 100), 'image/png', 413, 'payload_too_large'],
    [
      'a PNG that is cut off',
      async () => (await noisy()).subarray(0, 2_000),
      'image/png',
      422,
      'unsupported_media',
    ],
    [
      'a PNG whose pixels are missing',
      () => pngOf(64, 64, deflateSync(Buffer.alloc(3))),
      'image/png',
      422,
      'unsupported_media',
    ],
    [
      'a GIF of large frames under another name',
      () => bombGif(4_000, 4_000, 3),
      'text/plain',
      413,
      'payload_too_large',
    ],
    [
      'a page that begins like a PNG',
      () => after(Promise.resolve(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')), PAGE),
      'image/png',
      422,
      'unsupported_media',
    ],
    [
      'a page that begins like a WebP',
      () => Buffer.from(`RIFF\0\0\0\0WEBP${PAGE}`),
      'text/html',
      422,
      'unsupported_media',
    ],
    [
      'an SVG with a prolog',
      () => Buffer.from(`\ufeff<?xml version="1.0"?>${SVG}`),
      'image/svg+xml',
      415,
      'unsupported_media',
    ],
    ['an SVG called PNG', () => Buffer.from(SVG), 'image/png', 415, 'unsupported_media'],
    ['a packed SVG', () => gzipSync(SVG), 'image/svg+xml', 415, 'unsupported_media'],
    [
      'a PDF called JPEG',
      () => Buffer.from('%PDF-1.7\n1 0 obj<</JS(app.alert(1))>>'),
      'image/jpeg',
      415,
      'unsupported_media',
    ],
    ['a TIFF', () => image().tiff().toBuffer(), 'image/tiff', 415, 'unsupported_media'],
    [
      'an AVIF',
      () => Buffer.from('\0\0\0\x1cftypavif\0\0\0\0', 'latin1'),
      'image/avif',
      415,
      'unsupported_media',
    ],
    [
      'a drawing programme',
      () => Buffer.from('push graphic-context\nviewbox 0 0 1 1\n'),
      'image/x-mvg',
      415,
      'unsupported_media',
    ],
  ])('%s is refused and leaves nothing behind', async (_what, bytes, type, status, code) => {
    const answer = await upload(ann, chat.id, await bytes(), type);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(await left.look()).toEqual(left.before);
  });

  it('nothing of all this comes later', async () => {
    const { before } = left;
    expect(await left.rest()).toEqual(before);
  });

  it.each<[string, () => Promise<Buffer>, string]>([
    ['a page behind a PNG', () => after(image().png().toBuffer(), PAGE), 'image/png'],
    ['an archive behind a JPEG', () => after(image().jpeg().toBuffer(), zip()), 'image/jpeg'],
    [
      'a page in a PNG chunk',
      async () => withText(await image().png().toBuffer(), PAGE),
      'image/png',
    ],
    [
      'a packed page in a PNG chunk that unpacks to 64 MiB',
      async () => withBomb(await image().png().toBuffer()),
      'image/png',
    ],
    ['a script behind a WebP', () => after(image().webp().toBuffer(), PAGE), 'image/webp'],
  ])('%s: what is kept is the picture alone', async (_what, bytes, type) => {
    const { status, body } = await upload(ann, chat.id, await bytes(), type);
    expect([status, body.type, body.width]).toEqual([201, type, 64]);
    const kept = await fetch(`${ann.bases[0]}/v1/media/${body.mediaId}`, {
      headers: { authorization: `Bearer ${ann.accessToken}` },
    });
    const seen = Buffer.from(await kept.arrayBuffer());
    expect(kept.headers.get('content-type')).toBe(type);
    expect(['script', 'PK\x03\x04', 'zTXt', 'tEXt'].filter((t) => seen.includes(t))).toEqual([]);
    expect(seen.length).toBeLessThan(10_000);
    await left.rest();
  });

  it.each<[string, string[], number, string]>([
    ['no number', ['Content-Length: many'], 400, 'invalid_request'],
    ['negative', ['Content-Length: -5'], 400, 'invalid_request'],
    ['given twice', ['Content-Length: 5', 'Content-Length: 6'], 400, 'invalid_request'],
    ['and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked'], 400, 'invalid_request'],
    ['more than may be', [`Content-Length: ${LIMITS.fileBytes + 1}`], 413, 'payload_too_large'],
    ['without end', [`Content-Length: ${'9'.repeat(30)}`], 400, 'invalid_request'],
  ])('a length that is %s: refused before the body', async (_what, headers, status, code) => {
    const all = ['Content-Type: text/plain', ...headers];
    const answer = await rawUpload(ann, chat.id, all, []);
    expect([answer.status, answer.code]).toEqual([status, code]);
    expect(answer.text).toContain('application/problem+json');
    expect(await left.look()).toEqual(left.before);
  });

  it('nothing of these comes later', async () => {
    const { before } = left;
    expect(await left.rest()).toEqual(before);
  });

  it('a length that is too short: the rest is no upload', async () => {
    const body = `12345GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n`;
    const headers = ['Content-Type: text/plain', 'Content-Length: 5'];
    const { status, text } = await rawUpload(ann, chat.id, headers, [Buffer.from(body)]);
    expect(status).toBe(201);
    expect(text).toContain('"size":5');
    await left.rest();
  });

  it.each<[string, string, number]>([
    ['a file', 'application/zip', LIMITS.fileBytes],
    ['an image', 'image/jpeg', LIMITS.imageBytes],
  ])(
    '%s without end is cut off at its limit, and leaves nothing behind',
    async (_what, type, limit) => {
      const endless = function* (): Generator<Buffer> {
        const first = Buffer.alloc(MIB, 'x');
        first.set([0xff, 0xd8, 0xff, 0xe0]);
        yield chunk(type === 'image/jpeg' ? first : Buffer.alloc(MIB, 'x'));
        for (let i = 0; i < 2_000; i++) yield chunk(Buffer.alloc(MIB, 'x'));
      };
      const headers = [`Content-Type: ${type}`, 'Transfer-Encoding: chunked'];
      // Whoever goes on writing is cut off after 2 s; one that has not read by then loses the answer (TCP).
      const { status, code, written } = await eventually(async () => {
        const answer = await rawUpload(ann, chat.id, headers, endless());
        expect(answer.status).not.toBeNull();
        return answer;
      });
      expect([status, code]).toEqual([413, 'payload_too_large']);
      expect(written).toBeGreaterThanOrEqual(limit);
      await eventually(async () => expect(await left.look()).toEqual(left.before));
    },
  );

  it('100 MB to a conversation of others: refused before they are sent', async () => {
    const mallory = await ChatUser.create(stack.gatewayUrls);
    const before = await left.rest();
    const pieces = Array<Buffer>(100).fill(chunk(Buffer.alloc(1_000_000)));
    const headers = ['Content-Type: application/zip', 'Transfer-Encoding: chunked'];
    const { status, code } = await rawUpload(mallory, chat.id, headers, pieces);
    expect([status, code]).toEqual([404, 'no_such_conversation']);
    expect(await left.rest()).toEqual(before);
  });

  it('many uploads at once are bounded per user, and those refused leave nothing', async () => {
    const png = await smallPng();
    const before = left.files().length;
    const answers = await Promise.all(Array.from({ length: 24 }, () => upload(ann, chat.id, png)));
    const taken = answers.filter((x) => x.status === 201).length;
    expect(answers.filter((x) => x.status !== 201).every((x) => x.body.code === 'busy')).toBe(true);
    expect(taken).toBeGreaterThan(0);
    await eventually(() => expect(left.files()).toHaveLength(before + 2 * taken));
  });

  /** Noise that does not pack. */
  function noisy(): Promise<Buffer> {
    const raw = randomBytes(64 * 64 * 3);
    return sharp(raw, { raw: { width: 64, height: 64, channels: 3 } })
      .png()
      .toBuffer();
  }

  async function hugeJpeg(): Promise<Buffer> {
    const jpeg = await image().jpeg().toBuffer();
    const at = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg.writeUInt16BE(65_000, at + 5);
    jpeg.writeUInt16BE(65_000, at + 7);
    return jpeg;
  }

  function zip(): Buffer {
    return Buffer.from('PK\x03\x04 alert(1)', 'latin1');
  }

  /** A text chunk behind the header. */
  function withText(png: Buffer, words: string): Buffer {
    return withChunk(png, 'tEXt', Buffer.from(`Comment\0${words}`));
  }

  function withBomb(png: Buffer): Buffer {
    const packed = deflateSync(Buffer.alloc(64 * MIB, PAGE));
    return withChunk(png, 'zTXt', Buffer.concat([Buffer.from('Comment\0\0'), packed]));
  }
});
