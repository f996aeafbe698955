import { EVENT_TYPES, type ConnectionLost } from '@tidings/common/log-events/events';
import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { Boots } from '@tidings/common/redis/boots';
import type { GatewayLease } from '@tidings/common/redis/lease';
import { encodeRoute, type Route, type Routes } from '@tidings/common/redis/routes';
import type { GatewayBoot } from '@tidings/common/redis/watchers';
import type { Logger } from '@tidings/common/runtime/logger';
import { pause } from '@tidings/common/runtime/waiting';
import { uuidv7 } from 'uuidv7';
import { LostLeases } from './lost-leases';
import type { PresenceMetrics } from './presence.metrics';

/** Routes that are ended together, and the pause behind them: Redis has others to serve. */
const AT_ONCE = 500;
const PAUSE_MS = 20;

export interface ReaperParts {
  /** Whether it is this process's turn; the work may be done twice without harm. */
  leads: () => boolean;
  boots: Pick<Boots, 'all' | 'routesOf' | 'end'>;
  leases: Pick<GatewayLease, 'holders' | 'lastAlive' | 'markDead'>;
  routes: Pick<Routes, 'lookup' | 'removeAll'>;
  /** To `chat.presence.v1`. */
  writer: Pick<LogWriter, 'append'>;
  metrics: Pick<PresenceMetrics, 'reaped' | 'reapFailed'>;
  logger: Logger;
  /** Unix milliseconds. */
  now: () => number;
}

/**
 * Ends what a dead gateway leaves: marks its boot id dead, so that it can never come back under it, tells
 * presence of each user whose route names it, then deletes these routes, and at last its inbox. Until
 * the routes are gone senders are not told that a receiver is away. Each step may be repeated: whoever
 * dies in the middle of it is followed by the next one to lead.
 */
export class Reaper {
  private readonly lost: LostLeases;
  private busy = false;

  constructor(private readonly parts: ReaperParts) {
    this.lost = new LostLeases(parts.leases);
  }

  /** One look. Never throws: what cannot be ended now is met by the next look, or expires. */
  async look(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      if (this.parts.leads()) await this.reapAll();
      else this.lost.reset();
    } catch (error) {
      this.lost.reset();
      this.parts.metrics.reapFailed();
      this.parts.logger.debug({ err: error }, 'what dead gateways left stays for now');
    } finally {
      this.busy = false;
    }
  }

  private async reapAll(): Promise<void> {
    const { boots, leases, metrics, logger, now } = this.parts;
    for (const { boot, atMs } of await this.lost.among(await boots.all())) {
      if (!(await leases.markDead(boot.gatewayId, boot.bootId))) continue;
      const users = await this.endRoutes(boot, atMs ?? now());
      if (users === null) return;
      await boots.end(boot);
      metrics.reaped(users);
      logger.warn({ ...boot, users }, 'a gateway is gone: its routes are ended');
    }
  }

  /** How many users were connected to the boot; null: not all are ended. */
  private async endRoutes(boot: GatewayBoot, atMs: number): Promise<number | null> {
    const { leads, boots, routes } = this.parts;
    for (let users = 0; ; await pause(PAUSE_MS)) {
      if (!leads()) return null;
      const listed = await boots.routesOf(boot, AT_ONCE);
      if (listed.length === 0) return users;
      const stored = await this.stored(listed);
      const lost = [...new Set(stored.map(({ userId }) => userId))];
      const told = await Promise.all(
        lost.map((userId) => this.tell({ userId, ...boot, at: isoOf(atMs) })),
      );
      // the log first: whose route is gone is not found again
      if (told.includes(false)) {
        this.parts.metrics.reapFailed();
        return null;
      }
      await routes.removeAll(listed);
      users += lost.length;
    }
  }

  /** Which of these routes are in force. */
  private async stored(listed: readonly Route[]): Promise<Route[]> {
    const found = await this.parts.routes.lookup(listed.map(({ userId }) => userId));
    return listed.filter((route, i) =>
      found[i]!.some(
        (one) => one.deviceId === route.deviceId && encodeRoute(one) === encodeRoute(route),
      ),
    );
  }

  /** Whether the log has it. */
  private tell(event: ConnectionLost): Promise<boolean> {
    const record = {
      key: event.userId,
      type: EVENT_TYPES.connectionLost,
      id: uuidv7(),
      time: isoOf(this.parts.now()),
      value: JSON.stringify(event),
    };
    return new Promise((resolve) => {
      const taken = this.parts.writer.append(record, ({ ok }) => resolve(ok));
      if (!taken) resolve(false);
    });
  }
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
