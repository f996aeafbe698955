import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode } from '@tidings/protocol/errors';
import sharp from 'sharp';
import { bombGif, bombPng, photo } from '../../../../test/support/pictures';
import type { ImageType } from './media-type';
import { ImageCodec, THUMBNAIL_EDGE } from './image-codec';

const codec = new ImageCodec();
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tidings-codec-'));
  // The codec allows no more than it needs; the test itself looks at buffers.
  const loaders = ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((name) => `VipsForeignLoad${name}Buffer`);
  sharp.unblock({ operation: loaders });
});
afterAll(() => rmSync(dir, { recursive: true }));

async function clean(bytes: Buffer, type: ImageType) {
  const [source, original, thumbnail] = ['in', 'out', 'thumb'].map((name) => join(dir, name));
  writeFileSync(source!, bytes);
  const size = await codec.clean(source!, type, { original: original!, thumbnail: thumbnail! });
  return { size, original: readFileSync(original!), thumbnail: readFileSync(thumbnail!) };
}

async function refusal(bytes: Buffer, type: ImageType): Promise<[ErrorCode, number] | null> {
  try {
    await clean(bytes, type);
    return null;
  } catch (error) {
    const { code, status } = error as { code: ErrorCode; status: number };
    return [code, status];
  }
}

describe('ImageCodec', () => {
  it.each(['jpeg', 'png', 'webp', 'gif'] as const)('keeps the format: %s', async (format) => {
    const bytes = await sharp({
      create: { width: 700, height: 350, channels: 3, background: 'red' },
    })
      .toFormat(format)
      .toBuffer();
    const { size, original, thumbnail } = await clean(bytes, `image/${format}`);
    expect(size).toEqual({ width: 700, height: 350 });
    expect((await sharp(original).metadata()).format).toBe(format);
    const thumb = await sharp(thumbnail).metadata();
    expect([thumb.format, thumb.width, thumb.height]).toEqual(['webp', THUMBNAIL_EDGE, 160]);
  });

  it('turns a photo upright and drops EXIF, position and profile', async () => {
    const bytes = await photo({ width: 60, height: 40, orientation: 6 });
    expect(bytes.includes('Exif')).toBe(true);
    const { size, original, thumbnail } = await clean(bytes, 'image/jpeg');
    expect(size).toEqual({ width: 40, height: 60 });
    for (const text of ['Exif', 'GPS', 'Tidings Camera', 'ICC_PROFILE']) {
      expect([text, original.includes(text), thumbnail.includes(text)]).toEqual([
        text,
        false,
        false,
      ]);
    }
    expect((await sharp(original).metadata()).orientation ?? 1).toBe(1);
  });

  it('keeps the frames of an animation', async () => {
    const frame = (background: string) =>
      sharp({ create: { width: 20, height: 10, channels: 3, background } })
        .png()
        .toBuffer();
    const frames = await Promise.all(['red', 'blue', 'lime'].map(frame));
    const bytes = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const { size, original } = await clean(bytes, 'image/gif');
    expect(size).toEqual({ width: 20, height: 10 });
    expect((await sharp(original, { pages: -1 }).metadata()).pages).toBe(3);
  });

  it.each([
    ['a PNG of 196 megapixels', () => bombPng(14_000, 14_000), 'image/png'],
    ['a GIF of two frames of 25 megapixels', () => bombGif(5_000, 5_000, 2), 'image/gif'],
  ] as const)('refuses %s early', async (_, bytes, type) => {
    const before = performance.now();
    expect(await refusal(bytes(), type)).toEqual(['payload_too_large', 413]);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it.each([
    ['nothing after the first bytes', Buffer.from('\xff\xd8\xff\xe0', 'latin1'), 'image/jpeg'],
    ['a script that begins like a GIF', Buffer.from('GIF89a=1;alert(1)//'), 'image/gif'],
    ['half a PNG', bombPng(10, 10).subarray(0, 40), 'image/png'],
    ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/png'],
  ] as const)('refuses %s', async (_, bytes, type) => {
    expect(await refusal(Buffer.from(bytes), type)).toEqual(['unsupported_media', 422]);
  });
});
