import { TidingsError } from '@tidings/protocol/errors';
import { LRUCache } from 'lru-cache';

/** Users who are remembered; whoever is forgotten begins anew. */
const MAX_USERS = 100_000;

interface Account {
  used: number;
  at: number;
}

/** How many pixels are worked on for one user: so many at once, and so many more each minute. */
export class PixelBudget {
  private readonly accounts = new LRUCache<string, Account>({ max: MAX_USERS });

  constructor(
    private readonly rate: { burst: number; perMinute: number },
    /** Monotonic milliseconds. */
    private readonly clock: () => number,
  ) {}

  /** Takes pixels. Throws `rate_limited` when that would be too many; then none are taken. */
  take(userId: string, pixels: number): void {
    const now = this.clock();
    const { burst, perMinute } = this.rate;
    const account = this.accounts.get(userId) ?? { used: 0, at: now };
    const used = Math.max(0, account.used - ((now - account.at) * perMinute) / 60_000);
    const over = used + pixels - burst;
    if (over > 0) {
      const detail = `At most ${perMinute / 1e6} megapixels of images a minute`;
      const retryAfterMs = Math.ceil((over * 60_000) / perMinute);
      throw new TidingsError('rate_limited', { detail, retryAfterMs });
    }
    this.accounts.set(userId, { used: used + pixels, at: now });
  }
}
