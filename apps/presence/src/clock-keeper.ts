import type { ClocksDue, PresencePartitions } from '@tidings/common/redis/presence-partitions';
import type { PresenceStates } from '@tidings/common/redis/presence-states';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import { applyOneByOne, valuesOf } from '@tidings/common/runtime/one-by-one';
import type { Clocks } from './domain/clocks';
import type { LastSeenRepository } from './last-seen.repository';
import type { PresenceMetrics } from './presence.metrics';
import { storedState } from './stored-state';
import type { Tracker } from './tracker';

/** Users whose clocks are kept in one statement. */
const AT_ONCE = 500;

export interface ClockKeeperParts {
  tracker: Pick<Tracker, 'all'>;
  partitions: Pick<PresencePartitions, 'clocks' | 'clocksKept'>;
  states: Pick<PresenceStates, 'read'>;
  lastSeen: Pick<LastSeenRepository, 'raise'>;
  metrics: Pick<PresenceMetrics, 'raised'>;
  defects: Pick<Defects, 'note'>;
  logger: Logger;
}

/**
 * Keeps users' clocks in the database, in batches. Whose are not kept yet is known in Redis: the index names
 * a user before their state is written, so what is read may be the state before. Such a one stays in the
 * index for the next look.
 */
export class ClockKeeper {
  private busy = false;
  private troubled = false;
  /** Whose state had not come yet at the last look, with the score that it is to have. */
  private awaited: ReadonlyMap<string, string> = new Map();

  constructor(private readonly parts: ClockKeeperParts) {}

  /** Keeps all that wait. Never throws: what fails waits on. */
  async keep(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const awaited = new Map<string, string>();
    try {
      for (const { partition } of this.parts.tracker.all()) await this.keepOf(partition, awaited);
      this.troubled = false;
    } catch (error) {
      if (!this.troubled) this.parts.logger.warn({ err: error }, 'last-seen times wait');
      this.troubled = true;
    } finally {
      this.awaited = awaited;
      this.busy = false;
    }
  }

  private async keepOf(partition: number, awaited: Map<string, string>): Promise<void> {
    const { partitions, lastSeen, metrics, defects } = this.parts;
    let left = 0;
    for (;;) {
      const due = await partitions.clocks(partition, left, AT_ONCE);
      if (due.length === 0) return;
      const clocks = await this.read(due);
      const behind = this.behind(due, clocks);
      await applyOneByOne(
        clocks,
        (some) => lastSeen.raise(valuesOf(() => [...some])),
        ({ userId }, error) => defects.note('record', error, { userId }),
      );
      for (const { userId, score } of behind) awaited.set(userId, score);
      left += behind.length;
      await partitions.clocksKept(
        partition,
        due.filter((one) => !behind.includes(one)),
      );
      metrics.raised(clocks.length);
      if (due.length < AT_ONCE) return;
    }
  }

  /** Whose state has yet to come. At the second look it will not any more: somebody else wrote the user. */
  private behind(due: readonly ClocksDue[], clocks: readonly Clocks[]): ClocksDue[] {
    const known = new Map(clocks.map(({ userId, lastSeenAtMs }) => [userId, lastSeenAtMs]));
    return due.filter(
      ({ userId, score }) =>
        Number(score) > (known.get(userId) ?? 0) && this.awaited.get(userId) !== score,
    );
  }

  /** In the order of the users, so that two instances never wait for each other. */
  private async read(due: readonly ClocksDue[]): Promise<Clocks[]> {
    const userIds = due.map(({ userId }) => userId).sort();
    const { stored } = await this.parts.states.read(userIds);
    return stored.flatMap(({ state }, i): Clocks[] => {
      const known = storedState(state);
      if (!known || known.lastSeenAtMs === null) return [];
      const { lastSeenAtMs, activeAtMs } = known;
      return [{ userId: userIds[i]!, lastSeenAtMs, activeAtMs, connectedAtMs: lastSeenAtMs }];
    });
  }
}
