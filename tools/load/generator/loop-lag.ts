import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** Between two looks, in milliseconds; what Node tells has it in it. */
const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/** How late an event loop came to a timer, in milliseconds. */
export interface LoopLag {
  p50: number;
  p99: number;
  max: number;
}

/** Watches the event loop of this process. */
export class LoopWatch {
  private readonly delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  /** Begins anew. */
  start(): void {
    this.delays.reset();
    this.delays.enable();
  }

  /** Ends it. */
  stop(): void {
    this.delays.disable();
  }

  /** What was seen; nothing but zeros when it never ran. */
  lag(): LoopLag {
    const ms = (ns: number): number => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
    if (this.delays.count === 0) return { p50: 0, p99: 0, max: 0 };
    return {
      p50: ms(this.delays.percentile(50)),
      p99: ms(this.delays.percentile(99)),
      max: ms(this.delays.max),
    };
  }
}
