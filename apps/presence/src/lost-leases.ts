import type { GatewayLease } from '@tidings/common/redis/lease';
import { encodeBoot, type GatewayBoot } from '@tidings/common/redis/watchers';

/** How often in a row a lease has to be missing: a gateway may take it again under another boot id. */
const LOOKS = 2;

/** A boot without its lease; `atMs`: its gateway's last sign of life by Redis' clock, null: long ago. */
export interface LostBoot {
  boot: GatewayBoot;
  atMs: number | null;
}

/** Tells which boots have lost their leases, look by look. */
export class LostLeases {
  /** How often in a row a boot was seen without its lease. */
  private readonly missing = new Map<string, number>();

  constructor(private readonly leases: Pick<GatewayLease, 'holders' | 'lastAlive'>) {}

  /** One look: those that were without it often enough. Throws `RedisUnavailable`. */
  async among(boots: readonly GatewayBoot[]): Promise<LostBoot[]> {
    const holders = await this.leases.holders(boots.map(({ gatewayId }) => gatewayId));
    const missing = boots.filter((boot, i) => holders[i] !== boot.bootId);
    const names = new Set(missing.map(encodeBoot));
    for (const name of this.missing.keys()) if (!names.has(name)) this.missing.delete(name);
    for (const name of names) this.missing.set(name, (this.missing.get(name) ?? 0) + 1);
    const lost = missing.filter((boot) => this.missing.get(encodeBoot(boot))! >= LOOKS);
    const alive = await this.leases.lastAlive(lost);
    return lost.map((boot, i) => ({ boot, atMs: alive[i] ?? null }));
  }

  /** Begins anew: nobody could look. */
  reset(): void {
    this.missing.clear();
  }
}
