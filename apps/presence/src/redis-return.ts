import type { RedisClient } from '@tidings/common/redis/client';

/**
 * How long gateways may take, when Redis is back, until their leases and routes are in it again,
 * milliseconds. They come back to it within a second, and write routes anew under a new boot id.
 */
const SETTLES_MS = 5_000;

/**
 * Knows whether Redis was away just now: its leases have run out meanwhile, its routes name boot ids
 * that no gateway has any more, or it has nothing at all. So nobody would be there.
 */
export class RedisReturn {
  private back = -Infinity;
  private returned: () => void = () => undefined;

  /** `clock`: monotonic milliseconds. */
  constructor(
    redis: Pick<RedisClient, 'on'>,
    private readonly clock: () => number,
  ) {
    let reached = false;
    redis.on('ready', () => {
      if (reached) {
        this.back = clock();
        this.returned();
      }
      reached = true;
    });
  }

  /** Tells each time that Redis was away. */
  onReturn(returned: () => void): void {
    this.returned = returned;
  }

  /** Whether what Redis lacks may be missing because it was away. */
  get isRecent(): boolean {
    return this.clock() - this.back < SETTLES_MS;
  }
}
