import type { Grant, TokenOrder } from '@tidings/common/redis/rate-buckets';
import { LRUCache } from 'lru-cache';
import { grantTokens } from './token-grant';

/** Buckets that are kept; the one that was asked longest ago goes first. */
const MAX_BUCKETS = 50_000;

/** This gateway's own token buckets, for as long as Redis is away: they go on from what it told last. */
export class OwnCounts {
  /** When each bucket is full again, monotonic milliseconds. */
  private readonly fullAt = new LRUCache<string, number>({ max: MAX_BUCKETS });

  /** Takes tokens, or gives them back. */
  take(key: string, order: TokenOrder, now: number): Grant {
    const grant = grantTokens(this.fullAt.get(key) ?? now, now, order);
    this.told(key, grant, now);
    return grant;
  }

  /** Notes what a bucket is like after a grant. */
  told(key: string, { fullInMs }: Grant, now: number): void {
    if (fullInMs > 0) this.fullAt.set(key, now + fullInMs);
    else this.fullAt.delete(key);
  }
}
