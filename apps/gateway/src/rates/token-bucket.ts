/** How fast something may happen; `perSecond` 0 switches the limit off. */
export interface Rate {
  perSecond: number;
  burst: number;
}

/**
 * A token bucket. It keeps two numbers and no timer: tokens are counted when they are asked for.
 * Times are monotonic milliseconds, given by the caller.
 */
export class TokenBucket {
  private tokens: number;

  constructor(
    private readonly rate: Rate,
    private refilledAt: number,
  ) {
    this.tokens = rate.burst;
  }

  /** Takes one token; false when there is none. */
  take(now: number): boolean {
    if (this.rate.perSecond === 0) return true;
    this.refill(now);
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /** Milliseconds until the next token is there; 0 when one is. */
  waitMs(now: number): number {
    if (this.rate.perSecond === 0) return 0;
    this.refill(now);
    return this.tokens >= 1 ? 0 : Math.ceil(((1 - this.tokens) * 1000) / this.rate.perSecond);
  }

  /** Tokens that are there, in part, too. */
  level(now: number): number {
    this.refill(now);
    return this.tokens;
  }

  private refill(now: number): void {
    if (now <= this.refilledAt) return;
    const gained = ((now - this.refilledAt) * this.rate.perSecond) / 1000;
    this.tokens = Math.min(this.rate.burst, this.tokens + gained);
    this.refilledAt = now;
  }
}
