import { TidingsError } from '@tidings/protocol/errors';

/** Above this event-loop delay fewer are let in, milliseconds. */
const SLOW_LOOP_MS = 200;
/** However late the loop is, this part of the rate is let in. */
const LEAST_PART = 0.1;
/** Refused ones come back over so much more than their place in the line says. */
const JITTER = 0.5;

export interface AdmissionOptions {
  /** Connects per second; 0: no limit. */
  perSecond: number;
  /** So many at once. */
  burst: number;
  /** Longest time that a refused one is told to wait, milliseconds. */
  maxWaitMs: number;
  /** The event loop's delay, 99th percentile, milliseconds. */
  loopDelayMs: () => number;
  /** Told of each refusal. */
  refused?(this: void): void;
  random: () => number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * How fast this gateway lets clients connect: a connect costs all servers some milliseconds, and after
 * the death of a gateway thousands come at once. A token bucket, slower while the event loop is late.
 * Who finds it empty is told to come back when the line of those refused before is through.
 */
export class Admission {
  private tokens: number;
  /** Those who were refused and are not through yet, if each comes back when he was told to. */
  private line = 0;
  private countedAt: number;

  constructor(private readonly options: AdmissionOptions) {
    this.tokens = options.burst;
    this.countedAt = options.clock();
  }

  /** Lets one in. Throws `busy`. */
  admit(): void {
    const { perSecond, burst, refused } = this.options;
    if (perSecond === 0) return;
    this.count();
    if (this.tokens >= 1) {
      this.tokens -= 1;
      return;
    }
    refused?.();
    this.line = Math.min(this.line + 1, this.longestLine() + burst);
    throw new TidingsError('busy', { reason: 'pace', retryAfterMs: this.waitMs() });
  }

  /** Whoever was let in had no right to be: his place is for another. */
  giveBack(): void {
    this.tokens = Math.min(this.options.burst, this.tokens + 1);
  }

  /** Connects per second at the moment. */
  get rate(): number {
    const late = SLOW_LOOP_MS / Math.max(SLOW_LOOP_MS, this.options.loopDelayMs());
    return this.options.perSecond * Math.max(LEAST_PART, late);
  }

  private count(): void {
    const now = this.options.clock();
    const gained = (Math.max(0, now - this.countedAt) / 1000) * this.rate;
    this.countedAt = now;
    this.tokens = Math.min(this.options.burst, this.tokens + gained);
    this.line = Math.max(0, this.line - gained);
  }

  private longestLine(): number {
    return (this.options.maxWaitMs / 1000) * this.rate;
  }

  private waitMs(): number {
    const { maxWaitMs, random } = this.options;
    const place = Math.min((this.line / this.rate) * 1000, maxWaitMs / (1 + JITTER));
    return Math.max(1, Math.round(place * (1 + random() * JITTER)));
  }
}
