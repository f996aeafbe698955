import { together, type RedisClient } from './client';
import { id, KEYS, TTL } from './keys';
import { keepWatchers } from './scripts/keep-watchers.script';

/** A boot of a gateway: the place of an inbox. */
export interface GatewayBoot {
  gatewayId: string;
  bootId: string;
}

/**
 * Which gateways have a socket that watches a user. Gateways renew their own entries. A dead boot
 * is noticed when its inbox is missing, and removed then. All methods throw `RedisUnavailable`.
 */
export class Watchers {
  constructor(private readonly client: RedisClient) {}

  /** Registers a gateway for users, or renews that. One round trip. */
  async add(userIds: readonly string[], boot: GatewayBoot): Promise<void> {
    const keys = userIds.map((userId) => KEYS.watchers(userId));
    await keepWatchers(this.client, keys, encodeBoot(boot), TTL.watchers * 1000);
  }

  /** Removes a gateway. */
  async remove(userIds: readonly string[], boot: GatewayBoot): Promise<void> {
    const member = encodeBoot(boot);
    await together(userIds.map((userId) => this.client.srem(KEYS.watchers(userId), member)));
  }

  /** The gateways of each user, aligned. One round trip. */
  async of(userIds: readonly string[]): Promise<GatewayBoot[][]> {
    const found = await together(
      userIds.map((userId) => this.client.smembers(KEYS.watchers(userId))),
    );
    return found.map((members) => members.map(decodeBoot).filter((boot) => boot !== null));
  }
}

/** A boot as it is stored in sets. Throws `InvalidRedisId`. */
export function encodeBoot({ gatewayId, bootId }: GatewayBoot): string {
  return `${id(gatewayId)}|${id(bootId)}`;
}

/** Reads the stored form; null when it has another shape. */
export function decodeBoot(member: string): GatewayBoot | null {
  const [gatewayId, bootId, ...more] = member.split('|');
  return gatewayId && bootId && more.length === 0 ? { gatewayId, bootId } : null;
}
