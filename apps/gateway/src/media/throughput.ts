/**
 * Counts the bytes of a transfer in windows and tells whether it is slower than allowed. Times are
 * monotonic milliseconds, given by the caller.
 */
export class Throughput {
  private bytes = 0;

  constructor(
    private readonly leastPerSecond: number,
    private beganAt: number,
  ) {}

  add(bytes: number): void {
    this.bytes += bytes;
  }

  /** Whether too little came since the window began, which was at least `afterMs` ago. */
  isSlow(now: number, afterMs: number): boolean {
    const elapsed = now - this.beganAt;
    return elapsed >= afterMs && this.bytes < (this.leastPerSecond * elapsed) / 1000;
  }

  /** Begins a new window. */
  next(now: number): void {
    this.bytes = 0;
    this.beganAt = now;
  }
}
