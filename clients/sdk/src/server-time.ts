import type { Clock } from './clock';

/** Estimates the server's clock, so that a wrong local clock does no harm. */
export class ServerTime {
  private offset = 0;
  private exact = false;

  constructor(private readonly clock: Clock) {}

  /** Unix milliseconds on the server, as well as known. */
  now(): number {
    return Math.round(this.clock.now() + this.offset);
  }

  /** Takes the server's time from a frame (ISO 8601). */
  heard(iso: string): void {
    const at = Date.parse(iso);
    if (Number.isNaN(at)) return;
    this.offset = at - this.clock.now();
    this.exact = true;
  }

  /** Takes the time of an HTTP answer (whole seconds), until a frame has given a better one. */
  hint(date: string): void {
    const at = Date.parse(date);
    if (this.exact || Number.isNaN(at)) return;
    const offset = at + 500 - this.clock.now();
    if (Math.abs(offset) > 2000) this.offset = offset;
  }
}
