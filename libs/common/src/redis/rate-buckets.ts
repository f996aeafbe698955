import type { RedisClient } from './client';
import { KEYS } from './keys';
import { takeTokens, type Grant } from './scripts/take-tokens.script';

export type { Grant } from './scripts/take-tokens.script';

/** Whose bucket: a user's, or one per device. */
export interface BucketOwner {
  userId: string;
  /** Null: it counts for all devices together. */
  deviceId: string | null;
}

/** How much is requested of a bucket of this size. */
export interface TokenOrder {
  msPerToken: number;
  burst: number;
  /** Below zero: this many are given back. */
  wanted: number;
  /** All or nothing. */
  all: boolean;
}

/** The token buckets of users and devices, shared by all gateways. */
export class RateBuckets {
  constructor(private readonly client: RedisClient) {}

  /** Takes tokens, or gives them back. Throws `RedisUnavailable`. */
  take(owner: BucketOwner, name: string, order: TokenOrder): Promise<Grant> {
    return takeTokens(this.client, KEYS.rate(owner.userId, name, owner.deviceId), order);
  }
}
