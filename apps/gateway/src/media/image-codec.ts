import { TidingsError } from '@tidings/protocol/errors';
import { LIMITS } from '@tidings/protocol/limits';
import sharp, { type OutputInfo, type Sharp } from 'sharp';
import type { ImageType } from './media-type';

/** Longest edge of a thumbnail, pixels. */
export const THUMBNAIL_EDGE = 320;
/** The only decoders of libvips that may run. */
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((name) => `VipsForeignLoad${name}File`);
/** A picture that takes longer is given up, seconds. */
const PATIENCE_SECONDS = 20;
sharp.cache(false);
sharp.concurrency(1);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: LOADERS });

/** An image as it is kept: pixels as shown. */
export interface CleanImage {
  width: number;
  height: number;
}

/** Files that an image is written to. */
export interface ImageTarget {
  original: string;
  thumbnail: string;
}

/**
 * Decodes images of strangers within limits and encodes them anew, in the same format: what was
 * beside the pixels (EXIF, position, profiles, appended bytes) is gone, the orientation is applied.
 */
export class ImageCodec {
  /**
   * Pixels of an image, all frames counted, from its header alone. Throws `payload_too_large` for too
   * many, `unsupported_media` with status 422 when it is none.
   */
  async measure(source: string): Promise<number> {
    try {
      return (await headerOf(source)).pixels;
    } catch (error) {
      throw refusal(error);
    }
  }

  /**
   * Writes the clean image and its thumbnail (WebP). Throws `payload_too_large` for too many pixels,
   * all frames counted, `unsupported_media` with status 422 when it cannot be decoded.
   */
  async clean(source: string, type: ImageType, target: ImageTarget): Promise<CleanImage> {
    try {
      const { frames } = await headerOf(source);
      const info = await encoded(pixels(source, frames), type).toFile(target.original);
      await thumbnail(source).toFile(target.thumbnail);
      return sizeOf(info, frames);
    } catch (error) {
      throw refusal(error);
    }
  }
}

/** Frames and pixels of all of them. Reads the header only; throws when there are too many pixels. */
async function headerOf(source: string): Promise<{ frames: number; pixels: number }> {
  const options = { limitInputPixels: false, pages: -1 } as const;
  const found = await sharp(source, options).metadata();
  const frames = found.pages ?? 1;
  const total = found.width * (found.pageHeight ?? found.height) * frames;
  if (total > LIMITS.imagePixels) {
    const detail = `at most ${LIMITS.imagePixels / 1e6} megapixels, all frames counted`;
    throw new TidingsError('payload_too_large', { detail });
  }
  return { frames, pixels: total };
}

function pixels(source: string, frames: number): Sharp {
  const image = sharp(source, {
    limitInputPixels: LIMITS.imagePixels,
    pages: frames > 1 ? -1 : 1,
    sequentialRead: true,
    // Cameras write JPEGs that libjpeg warns about.
    failOn: 'error',
  }).timeout({ seconds: PATIENCE_SECONDS });
  // Frames lie below each other: turning them would mix them up.
  return frames > 1 ? image : image.autoOrient();
}

function encoded(image: Sharp, type: ImageType): Sharp {
  switch (type) {
    case 'image/jpeg':
      return image.jpeg({ quality: 85 });
    case 'image/png':
      return image.png({ compressionLevel: 6 });
    case 'image/webp':
      return image.webp({ quality: 85 });
    case 'image/gif':
      return image.gif({ effort: 3 });
  }
}

function thumbnail(source: string): Sharp {
  const size = { width: THUMBNAIL_EDGE, height: THUMBNAIL_EDGE };
  return pixels(source, 1)
    .resize({ ...size, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 75 });
}

function sizeOf(info: OutputInfo, frames: number): CleanImage {
  const { width, height, pageHeight } = info;
  return { width, height: frames > 1 ? (pageHeight ?? Math.round(height / frames)) : height };
}

function refusal(error: unknown): TidingsError {
  if (error instanceof TidingsError) return error;
  if (error instanceof Error && /pixel limit/i.test(error.message)) {
    return new TidingsError('payload_too_large', { detail: 'Too many pixels', cause: error });
  }
  const detail = 'The image cannot be decoded';
  return new TidingsError('unsupported_media', { detail, status: 422, cause: error });
}
