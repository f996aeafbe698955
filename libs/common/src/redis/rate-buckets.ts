import type { RedisClient } from './client';
import { KEYS } from './keys';
import { takeTokens, type Grant } from './scripts/take-tokens.script';

export type { Grant } from './scripts/take-tokens.script';

/** Whose bucket: a user's, or one of each device. */
export interface BucketOwner {
  userId: string;
  /** Null: it counts for all devices together. */
  deviceId: string | null;
}

/** How much is wanted of a bucket of this size. */
export interface TokenOrder {
  msPerToken: number;
  burst: number;
  /** Below zero: so many are given back. */
  wanted: number;
  /** None at all rather than some. */
  all: boolean;
}

/** The token buckets of users and devices that all gateways share. */
export class RateBuckets {
  constructor(private readonly client: RedisClient) {}

  /** Takes tokens, or gives them back. Throws `RedisUnavailable`. */
  take(owner: BucketOwner, name: string, order: TokenOrder): Promise<Grant> {
    return takeTokens(this.client, KEYS.rate(owner.userId, name, owner.deviceId), order);
  }
}
