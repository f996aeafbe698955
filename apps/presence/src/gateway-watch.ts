import type { GatewayLease } from '@tidings/common/redis/lease';
import type { PresencePartitions } from '@tidings/common/redis/presence-partitions';
import { encodeBoot, type GatewayBoot } from '@tidings/common/redis/watchers';
import type { Logger } from '@tidings/common/runtime/logger';
import { LostLeases } from './lost-leases';
import type { PresenceMetrics } from './presence.metrics';
import type { KeptPartition, Tracker } from './tracker';

/** Boots that are looked at in one partition. */
const MAX_BOOTS = 1_000;
/** Users who are written together. */
const AT_ONCE = 500;

export interface GatewayWatchParts {
  tracker: Pick<Tracker, 'all' | 'patience' | 'write'>;
  partitions: Pick<PresencePartitions, 'boots' | 'usersOn' | 'nowMs'>;
  leases: Pick<GatewayLease, 'holders' | 'lastAlive'>;
  metrics: Pick<PresenceMetrics, 'lostUsers'>;
  logger: Logger;
}

/**
 * Notices boots of gateways whose lease is gone, and has their users awaited from the last sign of life
 * that the gateway gave. Each instance looks after the users of its own partitions.
 */
export class GatewayWatch {
  private readonly leases: LostLeases;
  private busy = false;

  constructor(private readonly parts: GatewayWatchParts) {
    this.leases = new LostLeases(parts.leases);
  }

  /** One look. Never throws; without Redis nobody is judged. */
  async look(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      await this.lookAtAll();
    } catch (error) {
      this.leases.reset();
      this.parts.logger.debug({ err: error }, 'gateways are not looked at');
    } finally {
      this.busy = false;
    }
  }

  private async lookAtAll(): Promise<void> {
    const { tracker, partitions, metrics, logger } = this.parts;
    const nowMs = await partitions.nowMs();
    const judged = tracker
      .all()
      .filter((kept) => tracker.patience(kept, nowMs).lossesFromMs <= nowMs);
    const places = new Map<string, { boot: GatewayBoot; kept: KeptPartition[] }>();
    for (const kept of judged) {
      for (const boot of await partitions.boots(kept.partition, MAX_BOOTS)) {
        const name = encodeBoot(boot);
        const place = places.get(name) ?? { boot, kept: [] };
        place.kept.push(kept);
        places.set(name, place);
      }
    }
    const gone = await this.leases.among([...places.values()].map(({ boot }) => boot));
    for (const { boot, atMs } of gone) {
      for (const kept of places.get(encodeBoot(boot))!.kept) {
        const users = await this.lose(kept, boot, atMs ?? nowMs);
        metrics.lostUsers(users);
        if (users > 0)
          logger.warn({ ...boot, partition: kept.partition, users }, 'a gateway is gone');
      }
    }
  }

  private async lose(kept: KeptPartition, boot: GatewayBoot, atMs: number): Promise<number> {
    const { tracker, partitions } = this.parts;
    for (let lost = 0; ;) {
      const userIds = await partitions.usersOn(kept.partition, boot, AT_ONCE);
      if (userIds.length === 0 || !tracker.all().includes(kept)) return lost;
      await tracker.write(
        kept,
        new Map(userIds.map((userId) => [userId, { lost: { boot, atMs } }])),
      );
      lost += userIds.length;
    }
  }
}
