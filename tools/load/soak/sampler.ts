import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../clock';
import type { Footprint } from '../footprint';
import { type WatchedProcess, memory } from '../processes';
import type { Sample } from './soak';

/** What a sampler looks at. */
export interface Sampled {
  processes: () => readonly WatchedProcess[];
  footprint: () => Promise<Footprint>;
  /** records that wait in all consumer groups */
  lag: () => Promise<number>;
}

/** Looks at everything that must not grow, at even times, in the parent of the generators. */
export class Sampler {
  private readonly samples: Sample[] = [];
  private readonly over = new AbortController();
  private looping: Promise<void> = Promise.resolve();

  /** @param times how often it looks, the first time after the first stretch */
  constructor(
    private readonly sampled: Sampled,
    private readonly plan: { everyMs: number; times: number },
  ) {}

  /** The first stretch begins. */
  start(): void {
    this.looping = this.loop(monotonicMs());
  }

  /** All samples, when the last one is taken. */
  async finished(): Promise<Sample[]> {
    await this.looping;
    return this.samples;
  }

  /** Looks no more; settles when the look that is under way has ended. */
  async stop(): Promise<void> {
    this.over.abort();
    await this.looping;
  }

  private async loop(beganMs: number): Promise<void> {
    const { everyMs, times } = this.plan;
    for (let turn = 1; turn <= times; turn++) {
      const wait = Math.max(0, beganMs + turn * everyMs - monotonicMs());
      const waited = await delay(wait, true, { signal: this.over.signal }).catch(() => false);
      if (!waited) return;
      await this.look(monotonicMs() - beganMs);
    }
  }

  private async look(atMs: number): Promise<void> {
    const memoryBytes = memory(this.sampled.processes());
    const [stores, lagRecords] = await Promise.all([
      this.sampled.footprint().catch(() => null),
      this.sampled.lag().catch(() => null),
    ]);
    this.samples.push({ atMs, memoryBytes, redisKeys: stores?.redisKeys ?? null, lagRecords });
  }
}
