import type { Clock } from './clock';

/** Paces sending below the server's limit (token bucket), so that the server need not refuse. */
export class Pacer {
  private tokens = 0;
  private perMs = 0;
  private burst = 0;
  private at = 0;

  constructor(private readonly clock: Clock) {}

  /** Starts over with the limits of a connection; 0: unlimited. */
  reset(perSecond: number, burst: number): void {
    this.perMs = perSecond / 1000;
    this.burst = this.tokens = Math.max(1, burst);
    this.at = this.clock.now();
  }

  /** Milliseconds until the next send may go. 0: it may go now, and is counted. */
  take(): number {
    if (this.perMs <= 0) return 0;
    const now = this.clock.now();
    this.tokens = Math.min(this.burst, this.tokens + (now - this.at) * this.perMs);
    this.at = now;
    if (this.tokens >= 1) {
      this.tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - this.tokens) / this.perMs));
  }
}
