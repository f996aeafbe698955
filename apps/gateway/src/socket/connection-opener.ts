import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { TidingsError } from '@tidings/protocol/errors';
import type { Rates } from '@tidings/protocol/limits';
import type { Routes } from '@tidings/common/redis/routes';
import type { Tickets } from '@tidings/common/redis/tickets';
import { failpoint, FAILPOINTS_SET } from '@tidings/common/runtime/failpoint';
import type { Logger } from '@tidings/common/runtime/logger';
import type { LoginGate } from '../auth/login-gate';
import type { BootKeeper } from '../directory/boot-keeper';
import type { Lanes } from '../lanes/lanes';
import type { PresenceEvents } from './presence-events';
import type { RouteCloser } from './route-closer';
import type { Connection } from './connection';
import type { ConnectionCloser } from './connection-closer';
import type { ConnectionTable } from './connection-table';
import type { FrameRouter } from './frame-router';
import { welcomeFrameText } from './server-frames';
import type { WriteQueue } from './write-queue';

const REPLACED = CLOSE_CODES.sameDeviceElsewhere;
const ELSEWHERE = 'this device is connected elsewhere';

export interface ConnectionOpenerParts {
  gatewayId: string;
  heartbeatSeconds: number;
  table: ConnectionTable;
  boot: BootKeeper;
  routes: Routes;
  routeCloser: RouteCloser;
  tickets: Tickets;
  gate: Pick<LoginGate, 'requireNow' | 'closeOf'>;
  writes: WriteQueue;
  router: FrameRouter;
  closer: ConnectionCloser;
  presence: PresenceEvents;
  lanes: Pick<Lanes, 'greeting'>;
  logger: Logger;
  rates: Rates;
  wallClock: () => number;
}

/**
 * Brings a connection up in the order that loses nothing: local table, inbox reader running, fenced
 * route, then `welcome`, and only then the client's frames.
 */
export class ConnectionOpener {
  constructor(private readonly parts: ConnectionOpenerParts) {}

  /** Never rejects; what goes wrong ends in a closed socket. */
  async open(connection: Connection): Promise<void> {
    const { table, writes, router, closer, presence, logger } = this.parts;
    table.add(connection);
    try {
      if (FAILPOINTS_SET) await failpoint('gateway.betweenTicketAndRoute');
      if (!(await this.writeRoute(connection))) {
        closer.close(connection, REPLACED, ELSEWHERE);
        return;
      }
      const resumeTicket = await this.admit(connection);
      if (connection.ended) return;
      writes.welcome(connection, this.welcome(connection, resumeTicket), this.parts.lanes.greeting);
      presence.opened(connection);
      router.release(connection);
    } catch (error) {
      if (error instanceof TidingsError && error.code === 'unauthorized') {
        const { userId, deviceId } = connection;
        const { code, reason } = await this.parts.gate.closeOf(userId, deviceId);
        closer.close(connection, code, reason);
        return;
      }
      logger.warn({ err: error }, 'a connection could not be opened');
      closer.close(connection, CLOSE_CODES.draining, 'try again');
    }
  }

  /**
   * Its resume ticket. Whoever ended the login before the route was written has not seen the
   * route, so the login is checked once more; throws `unauthorized` then.
   */
  private async admit(connection: Connection): Promise<string> {
    const { userId, deviceId, sessionGeneration, generation } = connection;
    const { tickets, gate } = this.parts;
    const [resumeTicket] = await Promise.all([
      tickets.issueResume({
        userId,
        deviceId,
        sessionGeneration,
        connectionGeneration: generation,
      }),
      gate.requireNow(userId, deviceId, sessionGeneration),
    ]);
    return resumeTicket;
  }

  /** False when the device has a newer route. */
  private async writeRoute(connection: Connection): Promise<boolean> {
    const { gatewayId, boot, routes } = this.parts;
    for (;;) {
      const { bootId } = boot;
      const route = connection.route(gatewayId, bootId);
      const result = await routes.put(route);
      if (!result.written) return false;
      if (connection.ended) {
        await routes.remove(route);
        return true;
      }
      connection.bootId = bootId;
      if (result.replaced) this.parts.routeCloser.close(result.replaced, REPLACED, ELSEWHERE);
      // A boot id that ended meanwhile has no inbox any more.
      if (bootId === boot.bootId) return true;
    }
  }

  private welcome(connection: Connection, resumeTicket: string): string {
    const { gatewayId, heartbeatSeconds, rates, wallClock } = this.parts;
    const { id: connectionId, userId, deviceId } = connection;
    const nowMs = wallClock();
    return welcomeFrameText({
      connectionId,
      userId,
      deviceId,
      gatewayId,
      heartbeatSeconds,
      resumeTicket,
      rates,
      nowMs,
    });
  }
}
