import { fullJitter, pause } from '@tidings/common/runtime/waiting';
import { isAway } from '@tidings/common/runtime/database-errors';

/** How long who registers or logs in waits for a database that restarts, in milliseconds. */
const PATIENCE_MS = 5_000;
const BACKOFF = { baseMs: 50, maxMs: 400 };

/**
 * The patience of one call: what fails because the database is away is done again, all of it together for
 * up to five seconds. Only for what may be done twice: the outcome of a lost commit is not known. What takes
 * its time without the database, as hashing a password, belongs outside: done once, it costs no patience.
 */
export class Patience {
  /** What is left of it. */
  private leftMs = PATIENCE_MS;
  private failures = 0;

  constructor(
    /** Monotonic milliseconds. */
    private readonly clock: () => number = () => performance.now(),
    private readonly wait: (ms: number) => Promise<unknown> = pause,
  ) {}

  /** Throws what `work` throws when that is something else, or when the time is over. */
  async with<T>(work: () => Promise<T>): Promise<T> {
    let awayAt: number | null = null;
    /** From when the database was first found away until it was last found so. */
    let waitedMs = 0;
    try {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          if (!isAway(error)) throw error;
          awayAt ??= this.clock();
          waitedMs = this.clock() - awayAt;
          if (waitedMs >= this.leftMs) throw error;
          await this.wait(fullJitter(BACKOFF, this.failures++));
        }
      }
    } finally {
      this.leftMs -= waitedMs;
    }
  }
}
