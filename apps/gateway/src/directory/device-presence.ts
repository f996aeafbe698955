import { TidingsError } from '@tidings/protocol/errors';
import type { GatewayLease } from '@tidings/common/redis/lease';
import type { Routes } from '@tidings/common/redis/routes';

/** Which devices of a user have a connection: a route whose gateway still holds its lease. */
export class DevicePresence {
  constructor(
    private readonly routes: Pick<Routes, 'lookup'>,
    private readonly leases: Pick<GatewayLease, 'holders'>,
  ) {}

  /** Ids of devices. Throws `unavailable` without Redis: a guess would be wrong. */
  async online(userId: string): Promise<Set<string>> {
    try {
      const [routes = []] = await this.routes.lookup([userId]);
      const gateways = [...new Set(routes.map((route) => route.gatewayId))];
      const holders = await this.leases.holders(gateways);
      const live = routes.filter(
        ({ gatewayId, bootId }) => holders[gateways.indexOf(gatewayId)] === bootId,
      );
      return new Set(live.map((route) => route.deviceId));
    } catch (error) {
      throw new TidingsError('unavailable', { cause: error });
    }
  }
}
