import { TidingsError } from '@tidings/protocol/errors';
import type { MediaVariant, SignedMediaQuery } from '@tidings/protocol/http';
import { clusterMac, sameMac } from '@tidings/common/rpc/credentials';
import { secondsLeft } from './seconds-left';

export interface MediaUrlOptions {
  /** Secret that all gateways share. */
  secret: string;
  /** Scheme and host in front of the path, e.g. a CDN's; empty: URLs are relative. */
  base: string;
  lifeSeconds: number;
}

/**
 * Makes and checks URLs that read one upload without a token, for one user, until a fixed time
 * (HMAC-SHA-256 over all of it). They prove who asks, not that he still may.
 */
export class MediaUrls {
  constructor(private readonly options: MediaUrlOptions) {}

  /** Unix seconds at which a URL made at `nowMs` ends: with what it shows (`expiresAt`) at the latest. */
  expiry(nowMs: number, expiresAt?: string): number {
    return Math.floor(nowMs / 1000) + secondsLeft(this.options.lifeSeconds, expiresAt, nowMs);
  }

  sign(mediaId: string, query: Omit<SignedMediaQuery, 'signature'>): string {
    const { variant, user, expires } = query;
    const signature = this.signature(mediaId, query);
    const text = new URLSearchParams({ variant, user, expires: String(expires), signature });
    return `${this.options.base}/v1/media/${mediaId}/signed?${text.toString()}`;
  }

  /** How many seconds the URL has left. Throws `unauthorized` when it is forged or over. */
  check(mediaId: string, query: SignedMediaQuery, nowMs: number): number {
    const left = query.expires - Math.floor(nowMs / 1000);
    const genuine = sameMac(query.signature, this.signature(mediaId, query));
    if (genuine && left > 0) return left;
    throw new TidingsError('unauthorized', { detail: 'This URL is not valid (any more)' });
  }

  private signature(
    mediaId: string,
    { variant, user, expires }: { variant: MediaVariant; user: string; expires: number },
  ): string {
    const parts = ['media-url', mediaId, variant, user, String(expires)];
    return clusterMac(this.options.secret, parts);
  }
}
