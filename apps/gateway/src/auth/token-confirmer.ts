import { LRUCache } from 'lru-cache';
import type { StorageClient } from '../service-clients';
import type { Principal } from './principal';

const MOST_DEVICES = 50_000;
/** Confirmations that are under way at a time; more wait for the token's next use. */
const MOST_OUT = 100;

/**
 * Tells storage that the tokens of a refresh have come into use: from then on re-use of the refresh
 * token before them revokes the family.
 */
export class TokenConfirmer {
  private readonly seen = new LRUCache<string, number>({ max: MOST_DEVICES });
  private out = 0;

  constructor(private readonly storage: Pick<StorageClient, 'call'>) {}

  /** A token was used; the first one of a login needs no word. */
  used({ userId, deviceId }: Principal, sequence: number): void {
    if (sequence < 2 || (this.seen.get(deviceId) ?? 0) >= sequence || this.out >= MOST_OUT) return;
    this.seen.set(deviceId, sequence);
    this.out += 1;
    this.storage
      .call('accounts.confirm', { userId, deviceId, sequence })
      .catch(() => this.seen.delete(deviceId))
      .finally(() => (this.out -= 1));
  }
}
