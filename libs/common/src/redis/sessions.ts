import { settled, together, type RedisClient } from './client';
import { id, KEYS, TTL } from './keys';
import { raiseSession } from './scripts/raise-session.script';

/**
 * Redis' copy of the devices' session generations; PostgreSQL has the truth and is written first.
 * A token, ticket or connection is valid while its generation *equals* the device's. Logging a
 * device out raises its generation, so a logged-out device is a generation that nobody has.
 */
export class DeviceSessions {
  constructor(private readonly client: RedisClient) {}

  /** The device's generation; null: ask storage. Throws `RedisUnavailable`. */
  async get(userId: string, deviceId: string): Promise<number | null> {
    return toNumber(await settled(this.client.hget(KEYS.sessions(userId), id(deviceId))));
  }

  /** `get` for many devices in one round trip, aligned. */
  async getAll(
    devices: readonly { userId: string; deviceId: string }[],
  ): Promise<(number | null)[]> {
    const kept = await together(
      devices.map(({ userId, deviceId }) => this.client.hget(KEYS.sessions(userId), id(deviceId))),
    );
    return kept.map(toNumber);
  }

  /**
   * Raises a device's generation, never lowers it, and returns the one that is stored now. A copy
   * read from storage is written with it, too. Throws `RedisUnavailable`.
   */
  async raise(userId: string, deviceId: string, generation: number): Promise<number> {
    if (!Number.isSafeInteger(generation)) throw new TypeError('a generation is an integer');
    return raiseSession(this.client, KEYS.sessions(userId), {
      deviceId: id(deviceId),
      generation,
      ttlMs: TTL.sessions * 1000,
    });
  }
}

function toNumber(text: string | null): number | null {
  return text === null ? null : Number(text);
}
