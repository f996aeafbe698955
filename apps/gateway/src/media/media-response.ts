import { pipeline } from 'node:stream/promises';
import { TidingsError } from '@tidings/protocol/errors';
import type { MediaVariant } from '@tidings/protocol/http';
import type { MediaRecord } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import { originalKey, thumbnailKey, type MediaDriver } from '@tidings/common/media/media-driver';
import type { Request, Response } from 'express';
import { matchesEtag, readRange, type RangeAnswer } from './byte-range';
import { servedType } from './media-type';
import type { Holder, Slot, Slots } from './slots';
import { Throughput } from './throughput';
import { YIELD_AFTER_MS } from './receive-body';

/** A reader is looked at after this time, and again: one that is slower than allowed is cut off. */
export const READ_WINDOW_MS = 30_000;
/** Bytes of uploads never run as a page: no scripts, no frames, no origin. */
const NOTHING_ALLOWED = "default-src 'none'; sandbox; frame-ancestors 'none'";

/** What a reader wants, and who it is. */
export interface Wanted {
  medium: MediaRecord;
  variant: MediaVariant;
  /** What `Cache-Control` says. */
  caching: string;
  userId: string;
}

/** Sends the bytes of uploads: whole or a range, with an entity tag, to a bounded number of readers. */
export class MediaResponder {
  constructor(
    private readonly driver: Pick<MediaDriver, 'open' | 'stat'>,
    private readonly slots: Slots,
    private readonly windowMs = READ_WINDOW_MS,
  ) {}

  /**
   * Answers a GET or HEAD. Throws, before anything is sent, `media_not_found`, `busy`, and `invalid_request` (416) for a range outside.
   */
  async send(
    { medium, variant, caching, userId }: Wanted,
    { request, response }: { request: Request; response: Response },
  ): Promise<void> {
    const key = keyOf(medium, variant);
    const stat = await this.driver.stat(key).catch(away);
    if (!stat) throw new TidingsError('media_not_found');
    const etag = variant === 'original' ? `"${medium.etag}"` : `"${medium.etag}-t"`;
    const range = rangeOf(request, etag, stat.size);
    if (range === 'unsatisfiable') {
      response.setHeader('Content-Range', `bytes */${stat.size}`);
      throw new TidingsError('invalid_request', { detail: 'Range: outside', status: 416 });
    }
    setHeaders(response, medium, variant);
    response.setHeader('ETag', etag);
    response.setHeader('Cache-Control', caching);
    if (matchesEtag(request.headers['if-none-match'], etag)) {
      response.removeHeader('Content-Type');
      response.status(304).end();
      return;
    }
    const { start, end } = range === 'whole' ? { start: 0, end: stat.size - 1 } : range;
    if (range !== 'whole') {
      response.status(206).setHeader('Content-Range', `bytes ${start}-${end}/${stat.size}`);
    }
    response.setHeader('Content-Length', end - start + 1);
    if (request.method === 'HEAD') response.end();
    else await this.stream(key, range, response, userId);
  }

  private async stream(
    key: string,
    range: RangeAnswer,
    response: Response,
    userId: string,
  ): Promise<void> {
    const slot = this.slot({ userId }, response);
    const watch = new ReaderWatch(response, slot, this.windowMs);
    try {
      const part = typeof range === 'object' ? range : undefined;
      const bytes = await this.driver.open(key, part).catch((error: unknown) => {
        throw unsent(response, new TidingsError('unavailable', { cause: error }));
      });
      if (!bytes) throw unsent(response, new TidingsError('media_not_found'));
      // A reader that has left, or bytes that end too early, show as a cut connection.
      await pipeline(bytes, watch.counted(), response).catch(() => response.destroy());
    } finally {
      watch.end();
      slot.free();
    }
  }

  private slot(holder: Holder, response: Response): Slot {
    try {
      return this.slots.take(holder);
    } catch (error) {
      throw unsent(response, error as TidingsError);
    }
  }
}

/** Cuts off a reader that takes less than allowed, at once when somebody else needs the place. */
class ReaderWatch {
  private readonly throughput = new Throughput(LIMITS.uploadBytesPerSecond, performance.now());
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly response: Response,
    private readonly slot: Slot,
    windowMs: number,
  ) {
    this.timer = setInterval(() => this.look(windowMs / 2), windowMs);
    slot.yielding({
      slow: () => this.throughput.isSlow(performance.now(), YIELD_AFTER_MS),
      cut: () => this.response.destroy(),
    });
  }

  /** Passes bytes on, as the reader takes them, and counts them. */
  counted(): (bytes: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
    const { throughput } = this;
    return async function* (bytes) {
      for await (const piece of bytes) {
        throughput.add(piece.length);
        yield piece;
      }
    };
  }

  end(): void {
    clearInterval(this.timer);
    this.slot.yielding(null);
  }

  private look(afterMs: number): void {
    const now = performance.now();
    if (this.throughput.isSlow(now, afterMs)) this.response.destroy();
    this.throughput.next(now);
  }
}

function away(error: unknown): never {
  throw new TidingsError('unavailable', { cause: error });
}

function keyOf(medium: MediaRecord, variant: MediaVariant): string {
  if (variant === 'original') return originalKey(medium.mediaId);
  if (medium.kind === 'image') return thumbnailKey(medium.mediaId);
  throw new TidingsError('media_not_found');
}

function rangeOf({ headers }: Request, etag: string, size: number): RangeAnswer {
  const condition = headers['if-range'];
  if (condition !== undefined && condition !== etag) return 'whole';
  return readRange(headers.range, size);
}

function setHeaders(response: Response, medium: MediaRecord, variant: MediaVariant): void {
  const isImage = medium.kind === 'image';
  const thumbnail = variant === 'thumbnail';
  const type = isImage ? medium.type : servedType(medium.type);
  // Not by Express, which would add a charset.
  response.setHeader('Content-Type', thumbnail ? 'image/webp' : type);
  response.setHeader('Content-Disposition', isImage ? 'inline' : 'attachment');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', NOTHING_ALLOWED);
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  response.setHeader('Accept-Ranges', 'bytes');
}

/** Takes back what was said about a body that does not come. */
function unsent(response: Response, error: TidingsError): TidingsError {
  for (const name of ['Content-Length', 'Content-Range', 'ETag', 'Content-Disposition']) {
    response.removeHeader(name);
  }
  response.status(200).setHeader('Cache-Control', 'no-store');
  return error;
}
