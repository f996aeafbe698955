import type { RedisClient } from '@tidings/common/redis/client';
import { Watchers } from '@tidings/common/redis/watchers';
import type { Logger } from '@tidings/common/runtime/logger';
import type { PresenceClient, StorageClient } from '../service-clients';
import type { WriteQueue } from '../socket/write-queue';
import type { LaneMetrics } from '../lanes/lane.metrics';
import type { Lanes } from '../lanes/lanes';
import { ActivityHandler } from './activity.handler';
import type { PresenceEvents } from '../socket/presence-events';
import type { PresenceFrameMetrics } from './presence.metrics';
import { PresenceSight } from './presence-sight';
import { SeenPresence } from './seen-presence';
import { WatchedUsers } from './watched-users';
import { Watches } from './watches';

export interface PresencePartsOptions {
  gatewayId: string;
  bootId: () => string;
  redis: RedisClient;
  presence: PresenceClient;
  storage: StorageClient;
  events: PresenceEvents;
  writes: WriteQueue;
  metrics: PresenceFrameMetrics;
  lanes: Lanes;
  laneMetrics: LaneMetrics;
  logger: Logger;
  clock: () => number;
}

/** Who is here: what this gateway's users do, and whom they watch. */
export class PresenceParts {
  readonly activity: ActivityHandler;
  readonly watches: Watches;
  readonly seen: SeenPresence;
  private readonly users: WatchedUsers;

  constructor(options: PresencePartsOptions) {
    const { gatewayId, bootId, redis, logger, events, metrics, writes, clock } = options;
    const { lanes, laneMetrics } = options;
    this.activity = new ActivityHandler({ events, metrics, lanes, clock });
    this.seen = new SeenPresence(options.presence, new PresenceSight(options.storage));
    const watchers = new Watchers(redis);
    this.users = new WatchedUsers({ gatewayId, bootId, watchers, logger });
    const { seen, users } = this;
    const { random } = Math;
    this.watches = new Watches({
      seen,
      users,
      writes,
      metrics,
      lanes,
      laneMetrics,
      logger,
      clock,
      random,
    });
  }

  start(): void {
    this.activity.start();
    this.users.start();
    this.watches.start();
  }

  stop(): void {
    this.watches.stop();
    this.users.stop();
    this.activity.stop();
  }

  /** This gateway has a new boot id: what was told to the old one may be lost. */
  async announce(stale: () => boolean): Promise<void> {
    await this.users.announce(stale);
    if (!stale()) this.watches.lookAtAll();
  }
}
