import { Injectable } from '@nestjs/common';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { DeviceSession } from '@tidings/common/rpc/calls';
import { Routes } from '@tidings/common/redis/routes';
import { DeviceSessions } from '@tidings/common/redis/sessions';
import { Tickets } from '@tidings/common/redis/tickets';
import { RouteCloser } from '../socket/route-closer';
import { SessionGate } from './session-gate';

/** Ends what was made from sessions that storage has ended: copies, tickets, sockets. */
@Injectable()
export class SessionEnder {
  constructor(
    private readonly gate: SessionGate,
    private readonly sessions: DeviceSessions,
    private readonly tickets: Tickets,
    private readonly routes: Routes,
    private readonly routeCloser: RouteCloser,
  ) {}

  /**
   * `ended`: the sessions as storage has them now. `isEnded`: whose sockets are to be closed (4502).
   * Never rejects: without Redis sockets are closed by their next renewal, and tickets fail the
   * session check.
   */
  async end(
    userId: string,
    ended: readonly DeviceSession[],
    isEnded: (deviceId: string) => boolean,
  ): Promise<void> {
    for (const { deviceId } of ended) this.gate.forget(userId, deviceId);
    await Promise.allSettled([
      // Storage has raised them as far; this makes up for copies that it could not write.
      ...ended.map(({ deviceId, generation }) =>
        this.sessions.raise(userId, deviceId, generation).then(() => undefined),
      ),
      ...ended.map(({ deviceId }) => this.tickets.revokeResume(userId, deviceId)),
    ]);
    await this.closeSockets(userId, isEnded).catch(() => undefined);
  }

  private async closeSockets(
    userId: string,
    isEnded: (deviceId: string) => boolean,
  ): Promise<void> {
    const [routes] = await this.routes.lookup([userId]);
    for (const route of routes ?? []) {
      if (!isEnded(route.deviceId)) continue;
      this.gate.forget(userId, route.deviceId);
      this.routeCloser.close(route, CLOSE_CODES.loggedOut, 'logged out');
    }
  }
}
