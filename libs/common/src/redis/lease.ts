import { together, type RedisClient } from './client';
import { id, KEYS, TTL } from './keys';
import { claimLease } from './scripts/claim-lease.script';
import { markBootDead } from './scripts/mark-boot-dead.script';
import { releaseLease } from './scripts/release-lease.script';
import { renewLease } from './scripts/renew-lease.script';
import type { GatewayBoot } from './watchers';

/** `holder`: the boot id in the way; null when the claiming boot id itself was marked dead. */
export type ClaimResult = { claimed: true } | { claimed: false; holder: string | null };

/**
 * A gateway's boot id is a lease on its gateway id: one boot at a time, and a boot that lost its
 * lease never gets it back once the reaper has marked it dead. Every step is a script, and throws
 * `RedisUnavailable`.
 */
export class GatewayLease {
  constructor(private readonly client: RedisClient) {}

  /**
   * Takes the gateway id for a boot id, or takes it again. `replaces`: the gateway's own previous
   * boot id (it takes a new one after a loss), whose lease is taken over.
   */
  async claim(
    gatewayId: string,
    bootId: string,
    ttlMs: number,
    options: { replaces?: string } = {},
  ): Promise<ClaimResult> {
    const holder = await claimLease(this.client, keysOf(gatewayId, bootId), {
      bootId: id(bootId),
      replaces: id(options.replaces ?? bootId),
      ttlMs,
      aliveMs: TTL.deadBoot * 1000,
    });
    if (holder === bootId) return { claimed: true };
    return { claimed: false, holder };
  }

  /**
   * Renews the lease. `lost`: it expired, belongs to another boot, or the boot id was marked dead.
   */
  async renew(gatewayId: string, bootId: string, ttlMs: number): Promise<'renewed' | 'lost'> {
    const renewed = await renewLease(this.client, keysOf(gatewayId, bootId), {
      bootId,
      ttlMs,
      aliveMs: TTL.deadBoot * 1000,
    });
    return renewed ? 'renewed' : 'lost';
  }

  /** Gives the lease back; false when this boot id does not hold it. */
  async release(gatewayId: string, bootId: string): Promise<boolean> {
    return releaseLease(this.client, KEYS.lease(gatewayId), bootId);
  }

  /**
   * Marks a boot id dead for good; false while it holds the lease. Only then may its routes be
   * removed.
   */
  async markDead(gatewayId: string, bootId: string): Promise<boolean> {
    return markBootDead(this.client, keysOf(gatewayId, bootId), {
      bootId,
      ttlMs: TTL.deadBoot * 1000,
    });
  }

  /** The boot ids that hold these gateway ids now, aligned; null: none. One round trip. */
  async holders(gatewayIds: readonly string[]): Promise<(string | null)[]> {
    return together(gatewayIds.map((gatewayId) => this.client.get(KEYS.lease(gatewayId))));
  }

  /**
   * When these boots last took or renewed their lease, ms of Redis' clock, aligned; null: long ago.
   */
  async lastAlive(boots: readonly GatewayBoot[]): Promise<(number | null)[]> {
    const found = await together(
      boots.map(({ gatewayId, bootId }) => this.client.get(KEYS.bootAlive(gatewayId, bootId))),
    );
    return found.map((at) => (at === null ? null : Number(at)));
  }
}

function keysOf(gatewayId: string, bootId: string) {
  return {
    leaseKey: KEYS.lease(gatewayId),
    deadKey: KEYS.deadBoot(gatewayId, bootId),
    aliveKey: KEYS.bootAlive(gatewayId, bootId),
  };
}
