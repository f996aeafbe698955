import { together, type RedisClient } from './client';
import { KEYS, TTL } from './keys';
import { putPresence } from './scripts/put-presence.script';

/** A user's presence as it is stored. */
export interface StoredPresence {
  /** Of this very state; '0': none is stored. */
  stamp: string;
  /** The version of what others were last sent, µs; 0: never. */
  version: number;
  /** What the presence service keeps; null: nothing. */
  state: string | null;
}

/** States that were read together, and when. */
export interface ReadPresence {
  stored: StoredPresence[];
  /** Redis' clock before the read, µs: anything stored by then is included. */
  atUs: number;
}

export interface PresenceWrite {
  userId: string;
  /** Stamp of the state that this one follows. */
  stamp: string;
  state: string;
  /** Whether others are sent something new. */
  tells: boolean;
  /** Whether the user may be forgotten some time after this. */
  mayEnd: boolean;
}

/**
 * Presence of users, written only by the presence service. A state is stored only if nothing was
 * stored since its predecessor was read. All methods throw `RedisUnavailable`.
 */
export class PresenceStates {
  constructor(private readonly client: RedisClient) {}

  /** The states of users, aligned, in one round trip. */
  async read(userIds: readonly string[]): Promise<ReadPresence> {
    const replies = await together<unknown>([
      this.client.time(),
      ...userIds.map((userId) =>
        this.client.hmget(KEYS.presence(userId), 'stamp', 'version', 'state'),
      ),
    ]);
    const [seconds, micros] = replies.shift() as [number | string, number | string];
    return {
      stored: (replies as (string | null)[][]).map(([stamp, version, state]) => ({
        stamp: stamp ?? '0',
        version: Number(version ?? 0),
        state: state ?? null,
      })),
      atUs: Number(seconds) * 1_000_000 + Number(micros),
    };
  }

  /** Stores states. Returns the version of what others are sent; null: another state came first. */
  async write(writes: readonly PresenceWrite[]): Promise<(number | null)[]> {
    return putPresence(
      this.client,
      writes.map(({ userId, mayEnd, ...write }) => ({
        ...write,
        presenceKey: KEYS.presence(userId),
        ttlMs: mayEnd ? TTL.presence * 1000 : 0,
      })),
    );
  }
}
