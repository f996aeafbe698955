import type { Presence } from '@tidings/protocol/http';
import type { Clocks } from './clocks';

/** Where a device is connected, as far as presence cares. */
export interface LiveRoute {
  gatewayId: string;
  bootId: string;
}

/**
 * What others see of a user. Online: a route exists and the gateway that it names still holds its
 * lease under the same boot id. `holders`: gateway id → boot id that holds the lease.
 */
export function presenceOf(
  userId: string,
  routes: readonly LiveRoute[],
  holders: ReadonlyMap<string, string | null>,
  clocks: Clocks | undefined,
): Presence {
  const online = routes.some(({ gatewayId, bootId }) => holders.get(gatewayId) === bootId);
  return {
    userId,
    status: online ? 'online' : 'offline',
    lastSeenAt: iso(clocks?.lastSeenAtMs),
    activeAt: iso(clocks?.activeAtMs),
  };
}

function iso(atMs: number | null | undefined): string | null {
  return atMs == null ? null : new Date(atMs).toISOString();
}
