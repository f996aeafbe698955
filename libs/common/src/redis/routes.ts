import { Boots } from './boots';
import type { RedisClient } from './client';
import { generation, id, KEYS, PATTERNS, TTL } from './keys';
import { lookupRoutes } from './scripts/lookup-routes.script';
import type { Route } from './route';
import { putRoutes } from './scripts/put-route.script';
import { removeRoutes } from './scripts/remove-route.script';
import { renewRoutes } from './scripts/renew-route.script';

export type { Route } from './route';

/** `replaced`: the overwritten route of another connection of this device. */
export type PutResult = { written: true; replaced: Route | null } | { written: false; newer: true };

export interface RoutesOptions {
  /** Time to live of a route without renewal, in milliseconds. */
  ttlMs?: number;
  /** Time to live of a resume ticket after the end of its route, in milliseconds. */
  resumeMs?: number;
  /** Users per call of the look-up script; 1 on a Redis Cluster. */
  keysPerLookup?: number;
}

/** How many users one look-up call reads; a call holds up Redis for some 0.2 ms. */
const KEYS_PER_LOOKUP = 200;

/**
 * The map user → device → gateway. Writes are fenced by the connection generation; renewal and
 * removal touch only a route that is stored exactly so. A user's routes expire together: the route
 * of a device whose gateway died stays while another device renews. So a reader whose append finds
 * no inbox ("gone") treats that device as not connected and may `remove` the route.
 */
export class Routes {
  private readonly ttlMs: number;
  private readonly resumeMs: number;
  private readonly keysPerLookup: number;
  private readonly boots: Boots;

  constructor(
    private readonly client: RedisClient,
    options: RoutesOptions = {},
  ) {
    this.boots = new Boots(client);
    this.ttlMs = options.ttlMs ?? TTL.routes * 1000;
    this.resumeMs = options.resumeMs ?? TTL.resumeAfterRoute * 1000;
    this.keysPerLookup = options.keysPerLookup ?? KEYS_PER_LOOKUP;
  }

  /**
   * Writes a route unless the device has a newer one: a higher generation, or the same generation
   * of another connection (the first one keeps it). The same connection (same generation, gateway
   * and connection id) may write again, for example with a new boot id; then nothing counts as
   * replaced.
   */
  async put(route: Route): Promise<PutResult> {
    const [result] = await this.putAll([route]);
    return result!;
  }

  /** `put` for many routes in one round trip (to announce them again after a loss of Redis). */
  async putAll(routes: readonly Route[]): Promise<PutResult[]> {
    const calls = routes.map((route) => ({
      routesKey: KEYS.routes(route.userId),
      deviceId: id(route.deviceId),
      route: encodeRoute(route),
      gatewayId: route.gatewayId,
      connectionId: route.connectionId,
      generation: route.generation,
      ttlMs: this.ttlMs,
    }));
    const [, results] = await Promise.all([this.boots.note(routes), putRoutes(this.client, calls)]);
    const refused = routes.filter((_, i) => !results[i]!.written);
    if (refused.length > 0) await this.boots.forget(refused);
    return results.map(({ written, other }, i) => {
      if (!written) return { written: false, newer: true };
      const { userId, deviceId } = routes[i]!;
      return { written: true, replaced: other ? decodeRoute(userId, deviceId, other) : null };
    });
  }

  /**
   * Renews routes (and their devices' resume tickets) in one round trip. False where the stored
   * route is not exactly this one: its connection must be closed.
   */
  async renew(routes: readonly Route[]): Promise<boolean[]> {
    return renewRoutes(this.client, routes.map(stored), {
      routesMs: this.ttlMs,
      resumeMs: this.ttlMs + this.resumeMs,
    });
  }

  /** Deletes a route if exactly this one is stored. The resume ticket lives on for its time. */
  async remove(route: Route): Promise<boolean> {
    const [removed] = await this.removeAll([route]);
    return removed!;
  }

  /** `remove` for many routes in one round trip. */
  async removeAll(routes: readonly Route[]): Promise<boolean[]> {
    const removed = await removeRoutes(this.client, routes.map(stored), this.resumeMs);
    await this.boots.forget(routes);
    return removed;
  }

  /**
   * The routes of users, aligned with `userIds`, in one round trip. Never cached. A user given
   * twice is read once (both places share the array).
   */
  async lookup(userIds: readonly string[]): Promise<Route[][]> {
    if (userIds.length === 0) return [];
    const places = new Map<string, number>();
    const keys: string[] = [];
    for (const userId of userIds) {
      if (places.has(userId)) continue;
      places.set(userId, keys.length);
      keys.push(KEYS.routes(userId));
    }
    const found = await lookupRoutes(this.client, keys, this.keysPerLookup);
    const routes: Route[][] = [];
    for (const [userId, place] of places) routes.push(decodeRoutes(userId, found[place]!));
    return userIds.map((userId) => routes[places.get(userId)!]!);
  }
}

function stored(route: Route) {
  return {
    routesKey: KEYS.routes(route.userId),
    resumeKey: KEYS.resume(route.userId, route.deviceId),
    deviceId: route.deviceId,
    route: encodeRoute(route),
  };
}

/** The stored form. Ids cannot contain the separator. Throws `InvalidRedisId`. */
export function encodeRoute(route: Route): string {
  const { gatewayId, bootId, connectionId } = route;
  return `${id(gatewayId)}|${id(bootId)}|${id(connectionId)}|${generation(route.generation)}`;
}

/** Ids of {@link id} and a generation, as `encodeRoute` joins them. */
const ROUTE = new RegExp(
  `^(${PATTERNS.id})\\|(${PATTERNS.id})\\|(${PATTERNS.id})\\|(${PATTERNS.generation})$`,
);
type RouteParts = [
  text: string,
  gateway: string,
  boot: string,
  connection: string,
  generation: string,
];

/** Reads the stored form; null when it has another shape. */
export function decodeRoute(userId: string, deviceId: string, text: string): Route | null {
  const parts = ROUTE.exec(text);
  if (!parts) return null;
  const [, gatewayId, bootId, connectionId, generation] = parts as unknown as RouteParts;
  return { userId, deviceId, gatewayId, bootId, connectionId, generation };
}

function decodeRoutes(userId: string, pairs: readonly string[]): Route[] {
  const routes: Route[] = [];
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const route = decodeRoute(userId, pairs[i]!, pairs[i + 1]!);
    if (route) routes.push(route);
  }
  return routes;
}
