import { settled, together, type RedisClient } from './client';
import { generation, id, KEYS, TTL } from './keys';
import type { Route } from './route';
import { decodeBoot, encodeBoot, type GatewayBoot } from './watchers';

/**
 * The boots of gateways and the routes that name them, so that what a dead boot leaves behind is
 * found without reading all users. A route is written only after it is listed here: the list may
 * have too many routes, never too few. All methods throw `RedisUnavailable`.
 */
export class Boots {
  constructor(private readonly client: RedisClient) {}

  /** Registers a boot that holds its gateway's lease, or renews that. */
  async register(boot: GatewayBoot): Promise<void> {
    await together([
      this.client.sadd(KEYS.boots(), encodeBoot(boot)),
      this.client.expire(KEYS.boots(), TTL.boots),
      this.client.expire(KEYS.bootRoutes(boot.gatewayId, boot.bootId), TTL.boots),
    ]);
  }

  /** From now on its own gateway takes care of the routes that name this boot. */
  async unregister(boot: GatewayBoot): Promise<void> {
    await settled(this.client.srem(KEYS.boots(), encodeBoot(boot)));
  }

  /** The boots that are registered. */
  async all(): Promise<GatewayBoot[]> {
    const members = await settled(this.client.smembers(KEYS.boots()));
    return members.map(decodeBoot).filter((boot) => boot !== null);
  }

  /** Notes routes that are about to be written. */
  async note(routes: readonly Route[]): Promise<void> {
    await together([...byBoot(routes)].map(([key, members]) => this.client.sadd(key, ...members)));
  }

  /** Drops routes that no longer exist, or never did. */
  async forget(routes: readonly Route[]): Promise<void> {
    await together([...byBoot(routes)].map(([key, members]) => this.client.srem(key, ...members)));
  }

  /** Some routes that may name a boot, at most `count`; none: there are no more. */
  async routesOf({ gatewayId, bootId }: GatewayBoot, count: number): Promise<Route[]> {
    const key = KEYS.bootRoutes(gatewayId, bootId);
    const members = await settled(this.client.srandmember(key, count));
    return members.map((member) => {
      const [userId, deviceId, connectionId, of] = member.split('|') as [string, ...string[]];
      return {
        userId,
        deviceId: deviceId ?? '',
        gatewayId,
        bootId,
        connectionId: connectionId ?? '',
        generation: of ?? '',
      };
    });
  }

  /** Deletes what is left of a boot that nobody holds: its inbox, its list of routes, its name. */
  async end(boot: GatewayBoot): Promise<void> {
    const { gatewayId, bootId } = boot;
    await settled(
      this.client.del(
        KEYS.inbox(gatewayId, bootId),
        KEYS.inboxCounters(gatewayId, bootId),
        KEYS.bootRoutes(gatewayId, bootId),
      ),
    );
    await this.unregister(boot);
  }
}

/** Routes as they lie in their boots' sets, by key. */
function byBoot(routes: readonly Route[]): Map<string, string[]> {
  const sets = new Map<string, string[]>();
  for (const route of routes) {
    const { userId, deviceId, connectionId } = route;
    const key = KEYS.bootRoutes(route.gatewayId, route.bootId);
    const member = `${id(userId)}|${id(deviceId)}|${id(connectionId)}|${generation(route.generation)}`;
    const members = sets.get(key);
    if (members) members.push(member);
    else sets.set(key, [member]);
  }
  return sets;
}
