import { setTimeout as delay } from 'node:timers/promises';
import type { LastSeenRepository } from './last-seen.repository';

/** How often the database is asked for a sign of life, in milliseconds. */
const ASK_EVERY_MS = 2_000;
/** How long the start waits for the database, and between its attempts, in milliseconds. */
const OPEN_WITHIN_MS = 30_000;
const OPEN_PAUSE_MS = 300;

/** Knows whether the database answers, for readiness. */
export class DatabaseWatch {
  private timer: NodeJS.Timeout | undefined;
  private failing = 'not asked yet';
  private asking = false;

  constructor(private readonly repository: Pick<LastSeenRepository, 'ping'>) {}

  /** Repeats `open` until it succeeds; rejects with its error after half a minute. */
  async opened(open: () => Promise<unknown>): Promise<void> {
    const end = performance.now() + OPEN_WITHIN_MS;
    for (;;) {
      try {
        await open();
        return;
      } catch (error) {
        if (performance.now() > end) throw error;
        await delay(OPEN_PAUSE_MS);
      }
    }
  }

  /** Asks once, then again and again. */
  async start(): Promise<void> {
    await this.ask();
    this.timer = setInterval(() => void this.ask(), ASK_EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** What is wrong, or null. */
  problem(): string | null {
    return this.failing === '' ? null : this.failing;
  }

  private async ask(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      await this.repository.ping();
      this.failing = '';
    } catch {
      this.failing = 'does not answer';
    } finally {
      this.asking = false;
    }
  }
}
