import { Injectable } from '@nestjs/common';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { DeviceLogin } from '@tidings/common/rpc/calls';
import { Routes } from '@tidings/common/redis/routes';
import { DeviceLogins } from '@tidings/common/redis/logins';
import { Tickets } from '@tidings/common/redis/tickets';
import { RouteCloser } from '../socket/route-closer';
import { LoginGate } from './login-gate';

/** Ends what was made from logins that storage has ended: copies, tickets, sockets. */
@Injectable()
export class LoginEnder {
  constructor(
    private readonly gate: LoginGate,
    private readonly logins: DeviceLogins,
    private readonly tickets: Tickets,
    private readonly routes: Routes,
    private readonly routeCloser: RouteCloser,
  ) {}

  /**
   * `ended`: the logins as storage has them now. `isEnded`: whose sockets are to be closed (4502).
   * Never rejects: without Redis sockets are closed by their next renewal, and tickets fail the
   * login check.
   */
  async end(
    userId: string,
    ended: readonly DeviceLogin[],
    isEnded: (deviceId: string) => boolean,
  ): Promise<void> {
    for (const { deviceId } of ended) this.gate.forget(userId, deviceId);
    await Promise.allSettled([
      // Storage has raised them as far; this makes up for copies that it could not write.
      ...ended.map(({ deviceId, generation }) =>
        this.logins.raise(userId, deviceId, generation).then(() => undefined),
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
