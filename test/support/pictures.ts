import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';

/** A JPEG as a phone makes it: EXIF with a position and an orientation; its left upper part is red. */
export async function photo(options: {
  width: number;
  height: number;
  orientation: number;
}): Promise<Buffer> {
  const { width, height, orientation } = options;
  const corner = { width: Math.floor(width / 2), height: Math.floor(height / 2) };
  const red = await sharp({ create: { ...corner, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  return sharp({ create: { width, height, channels: 3, background: 'blue' } })
    .composite([{ input: red, left: 0, top: 0 }])
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .withExif({
      IFD0: { Make: 'Tidings Camera', Orientation: String(orientation) },
      IFD3: {
        GPSLatitudeRef: 'N',
        GPSLatitude: '52/1 31/1 12/1',
        GPSLongitudeRef: 'E',
        GPSLongitude: '13/1 24/1 18/1',
      },
    })
    .withMetadata({ orientation })
    .toBuffer();
}

/** A valid PNG of one colour and any size: few bytes, many pixels. */
export function bombPng(width: number, height: number): Buffer {
  return pngOf(width, height, deflateSync(Buffer.alloc(height * (1 + Math.ceil(width / 8)))));
}

/** A black and white PNG with the pixels as given, packed. */
export function pngOf(width: number, height: number, packed: Buffer): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([1, 0, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', packed),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A PNG with one more chunk, behind its header. */
export function withChunk(png: Buffer, type: string, data: Buffer): Buffer {
  const header = 8 + 12 + 13;
  return Buffer.concat([png.subarray(0, header), chunk(type, data), png.subarray(header)]);
}

/** A GIF of large frames with hardly any data in them. */
export function bombGif(width: number, height: number, frames: number): Buffer {
  const screen = Buffer.from('GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff', 'latin1');
  screen.writeUInt16LE(width, 6);
  screen.writeUInt16LE(height, 8);
  const frame = Buffer.from(
    '\x21\xf9\x04\x04\x0a\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x02\x02\x44\x01\0',
    'latin1',
  );
  frame.writeUInt16LE(width, 13);
  frame.writeUInt16LE(height, 15);
  return Buffer.concat([screen, ...Array<Buffer>(frames).fill(frame), Buffer.from(';')]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
