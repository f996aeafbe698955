import { settled, together, type RedisClient } from './client';
import { KEYS, TTL } from './keys';

/**
 * How many segments are kept per partition; at one per second half as many again as a window needs.
 */
const MAX_SEGMENTS = 180;

/** Whose window: log epoch and partition. */
export interface WindowOf {
  epoch: number;
  partition: number;
}

/**
 * Copies of what session remembers of each partition, in segments of about a second: a list of byte
 * strings, oldest first, bounded, and gone with Redis. All methods throw `RedisUnavailable`.
 */
export class WindowCopies {
  constructor(private readonly client: RedisClient) {}

  /** Adds one segment per partition. */
  async add(epoch: number, segments: ReadonlyMap<number, Buffer>): Promise<void> {
    await together<unknown>(
      [...segments].flatMap(([partition, bytes]) => {
        const key = KEYS.window(epoch, partition);
        return [
          this.client.rpush(key, bytes),
          this.client.ltrim(key, -MAX_SEGMENTS, -1),
          this.client.expire(key, TTL.window),
        ];
      }),
    );
  }

  /** The segments of a partition, in the order they were added. */
  async read({ epoch, partition }: WindowOf): Promise<Buffer[]> {
    return settled(this.client.lrangeBuffer(KEYS.window(epoch, partition), 0, -1));
  }

  async forget({ epoch, partition }: WindowOf): Promise<void> {
    await settled(this.client.del(KEYS.window(epoch, partition)));
  }
}
