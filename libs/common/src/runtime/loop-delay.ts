import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How often the loop is sampled, in milliseconds; its measurements include this much. */
const RESOLUTION_MS = 10;
const WINDOW_MS = 1_000;
const NS_PER_MS = 1e6;

/** Event loop delay of this process: anything that waits for the loop waits this much longer. */
export class LoopDelay {
  private readonly histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private timer: NodeJS.Timeout | null = null;

  /** The 99th percentile of the last second, in milliseconds. */
  p99Ms = 0;

  start(): void {
    this.histogram.enable();
    this.timer = setInterval(() => this.look(), WINDOW_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.histogram.disable();
  }

  private look(): void {
    const p99 = this.histogram.percentile(99) / NS_PER_MS - RESOLUTION_MS;
    this.p99Ms = Math.max(0, Math.round(p99));
    this.histogram.reset();
  }
}
