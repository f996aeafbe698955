import { loginEnd, type LoginEnd } from '../rpc/calls';
import { settled, together, type RedisClient } from './client';
import { id, KEYS, TTL } from './keys';
import { raiseLogin } from './scripts/raise-login.script';

/**
 * Redis' copy of the devices' login generations. PostgreSQL is authoritative and is written first.
 * A token, ticket or connection is valid while its generation *equals* the device's. Logging a
 * device out raises its generation, so a logged-out device has a generation that nobody holds.
 */
export class DeviceLogins {
  constructor(private readonly client: RedisClient) {}

  /** The device's generation; null: ask storage. Throws `RedisUnavailable`. */
  async get(userId: string, deviceId: string): Promise<number | null> {
    return toNumber(await settled(this.client.hget(KEYS.logins(userId), id(deviceId))));
  }

  /** `get` for many devices in one round trip, aligned. */
  async getAll(
    devices: readonly { userId: string; deviceId: string }[],
  ): Promise<(number | null)[]> {
    const kept = await together(
      devices.map(({ userId, deviceId }) => this.client.hget(KEYS.logins(userId), id(deviceId))),
    );
    return kept.map(toNumber);
  }

  /**
   * Raises a device's generation, never lowers it, and returns the one that is stored now. Also
   * used to store a copy that was read from storage. `end`: how the login before this generation
   * ended. Throws `RedisUnavailable`.
   */
  async raise(
    userId: string,
    deviceId: string,
    generation: number,
    end: LoginEnd | null = null,
  ): Promise<number> {
    if (!Number.isSafeInteger(generation)) throw new TypeError('a generation is an integer');
    return raiseLogin(this.client, KEYS.logins(userId), {
      deviceId: id(deviceId),
      generation,
      ttlMs: TTL.logins * 1000,
      end: { field: endField(deviceId), value: end === null ? '' : `${generation} ${end}` },
    });
  }

  /** Whether Redis knows a login of the device that has not ended. Throws `RedisUnavailable`. */
  async isLive(userId: string, deviceId: string): Promise<boolean> {
    const generation = await this.get(userId, deviceId);
    return generation !== null && (await this.endOf(userId, deviceId)) === null;
  }

  /**
   * How the login before the current generation ended; null: ask storage. Throws
   * `RedisUnavailable`.
   */
  async endOf(userId: string, deviceId: string): Promise<LoginEnd | null> {
    const [generation, end] = await settled(
      this.client.hmget(KEYS.logins(userId), id(deviceId), endField(deviceId)),
    );
    const [of, reason] = end?.split(' ') ?? [];
    const known = loginEnd.safeParse(reason);
    return of === generation && known.success ? known.data : null;
  }
}

/** In the same hash: no device id has a colon. */
function endField(deviceId: string): string {
  return `${id(deviceId)}:end`;
}

function toNumber(text: string | null): number | null {
  return text === null ? null : Number(text);
}
