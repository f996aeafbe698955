import { Inject, Injectable, Optional } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { StorageClient } from '../service-clients';
import type { Principal } from './principal';
import { SignsOfLife } from './signs-of-life';

const MAX_DEVICES = 50_000;
/** Confirmations that are under way at a time; more wait for the token's next use. */
const MAX_OUT = 100;

/**
 * Tells storage that the tokens of a refresh have come into use: from then on re-use of the refresh
 * token before them revokes the family.
 */
@Injectable()
export class TokenConfirmer {
  private readonly seen = new LRUCache<string, number>({ max: MAX_DEVICES });
  private out = 0;

  constructor(
    @Inject(StorageClient) private readonly storage: Pick<StorageClient, 'call'>,
    /** Who else wants to know of the device; null: nobody. */
    @Optional()
    @Inject(SignsOfLife)
    private readonly signs: Pick<SignsOfLife, 'used'> | null = null,
  ) {}

  /** A token was used; the first one of a login needs no word. */
  used(principal: Principal, sequence: number): void {
    this.signs?.used(principal);
    const { userId, deviceId } = principal;
    if (sequence < 2 || (this.seen.get(deviceId) ?? 0) >= sequence || this.out >= MAX_OUT) return;
    this.seen.set(deviceId, sequence);
    this.out += 1;
    this.storage
      .call('accounts.confirm', { userId, deviceId, sequence })
      .catch(() => this.seen.delete(deviceId))
      .finally(() => (this.out -= 1));
  }
}
