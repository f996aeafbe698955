import { Injectable } from '@nestjs/common';
import { CLOSE_CODES } from '@tidings/common/contracts/close-codes';
import { Routes } from '@tidings/common/redis/routes';
import { DeviceSessions } from '@tidings/common/redis/sessions';
import { Tickets } from '@tidings/common/redis/tickets';
import { RouteCloser } from '../directory/route-closer';
import { StorageClient } from '../service-clients';
import type { Principal } from './principal';
import { SessionGate } from './session-gate';

/** Ends a device's session: in storage first, then everything that was made from it. */
@Injectable()
export class LogoutService {
  constructor(
    private readonly storage: StorageClient,
    private readonly gate: SessionGate,
    private readonly sessions: DeviceSessions,
    private readonly tickets: Tickets,
    private readonly routes: Routes,
    private readonly routeCloser: RouteCloser,
  ) {}

  /** Throws `unavailable` when storage cannot end the session now. */
  async logOut({ userId, deviceId, generation }: Principal): Promise<void> {
    await this.storage.call('accounts.logout', { userId, deviceId });
    this.gate.forget(userId, deviceId);
    // Without Redis the socket is closed by its next renewal, and tickets fail the session check.
    await this.endCopies(userId, deviceId, generation).catch(() => undefined);
  }

  private async endCopies(userId: string, deviceId: string, ended: number): Promise<void> {
    // Storage has raised it further or just as far; this makes up for a copy that it could not write.
    await this.sessions.raise(userId, deviceId, ended + 1);
    await this.tickets.revokeResume(userId, deviceId);
    const [routes] = await this.routes.lookup([userId]);
    for (const route of routes ?? []) {
      if (route.deviceId === deviceId) {
        this.routeCloser.close(route, CLOSE_CODES.loggedOut, 'logged out');
      }
    }
  }
}
