import type { Grant } from '@tidings/common/redis/rate-buckets';
import { TokenBucket, type Rate } from './token-bucket';

/** A rate in its two parts. */
export interface BudgetShape {
  /** What this gateway gives by itself. */
  own: Rate;
  /** Milliseconds per token of the bucket that all gateways share. */
  msPerToken: number;
  /** Tokens that are taken from there at a time. */
  lease: number;
}

/**
 * What one user, or device, may do at this gateway, for what comes too often to ask Redis each time:
 * an own share, then tokens that are leased from the shared bucket, fetched before they run out. With
 * one gateway the sum is the rate, exactly: a leased token ends when the shared bucket is full again
 * without it.
 */
export class Budget {
  private readonly own: TokenBucket;
  private leased = 0;
  /** When the shared bucket is full again, as far as it was told here. Monotonic milliseconds. */
  private fullAt = -Infinity;
  /** The shared bucket is empty until then. */
  private emptyUntil = -Infinity;
  private asking: Promise<void> | null = null;

  constructor(
    private readonly shape: BudgetShape,
    /** Takes up to so many tokens from the shared bucket; never rejects. */
    private readonly ask: (wanted: number) => Promise<Grant>,
    /** Monotonic milliseconds. */
    private readonly clock: () => number,
  ) {
    this.own = new TokenBucket(shape.own, clock());
  }

  /** Takes one token: 0, or the milliseconds until there is one. A promise when Redis must be asked. */
  take(): number | Promise<number> {
    const now = this.clock();
    if (this.takeHere(now)) {
      if (this.isLow(now)) void this.lease();
      return 0;
    }
    if (this.asking === null && now < this.emptyUntil) return this.waitMs(now);
    return this.takeLeased();
  }

  /** Whether it would begin as it is: it may be forgotten. */
  isIdle(): boolean {
    const now = this.clock();
    const quiet = this.asking === null && now >= this.fullAt && now >= this.emptyUntil;
    return quiet && this.own.level(now) >= this.shape.own.burst;
  }

  private async takeLeased(): Promise<number> {
    for (;;) {
      await this.lease();
      const now = this.clock();
      if (this.takeHere(now)) return 0;
      if (now < this.emptyUntil) return this.waitMs(now);
    }
  }

  /** Leased tokens first: they do not keep. */
  private takeHere(now: number): boolean {
    const { msPerToken } = this.shape;
    this.leased = Math.min(this.leased, Math.ceil((this.fullAt - now) / msPerToken));
    if (this.leased < 1) return this.own.take(now);
    this.leased -= 1;
    return true;
  }

  private isLow(now: number): boolean {
    const { own, lease } = this.shape;
    if (this.asking !== null || now < this.emptyUntil || this.leased > lease / 2) return false;
    return this.own.level(now) < own.burst / 2;
  }

  private lease(): Promise<void> {
    // What Redis tells held when it was asked, at the earliest.
    const askedAt = this.clock();
    this.asking ??= this.ask(this.shape.lease).then((grant) => {
      this.asking = null;
      this.leased = Math.max(this.leased, 0) + grant.taken;
      this.fullAt = askedAt + grant.fullInMs;
      if (grant.taken === 0) this.emptyUntil = askedAt + grant.waitMs;
    });
    return this.asking;
  }

  private waitMs(now: number): number {
    return Math.max(1, Math.ceil(Math.min(this.own.waitMs(now), this.emptyUntil - now)));
  }
}
