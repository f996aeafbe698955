import { createHash } from 'node:crypto';
import type { RedisClient } from './client';
import { KEYS } from './keys';
import { countHit, type Hits } from './scripts/count-hit.script';

export type { Hits } from './scripts/count-hit.script';

/** How often something came from a network, counted across all gateways. */
export class AddressHits {
  constructor(private readonly client: RedisClient) {}

  /**
   * Adds hits to the current window, or starts one. With 0 it only reads. Throws
   * `RedisUnavailable`.
   */
  count(name: string, network: string, add: number, windowMs: number): Promise<Hits> {
    const hash = createHash('sha256').update(network).digest('base64url');
    return countHit(this.client, KEYS.addressHits(hash, name), add, windowMs);
  }
}
