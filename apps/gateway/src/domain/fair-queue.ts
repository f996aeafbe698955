import { TidingsError } from '@tidings/common/contracts/errors';

const RETRY_MS = 5_000;

export interface FairQueueLimits {
  /** Pieces of work that run at a time. */
  atOnce: number;
  /** Pieces that wait: in all, and of one key. */
  waiting: number;
  waitingPerKey: number;
  /** Whoever waits longer is refused, milliseconds. */
  patienceMs: number;
}

interface Waiting {
  start: () => void;
  timer: NodeJS.Timeout;
}

/**
 * Runs a few pieces of work at a time; the others wait. The keys take turns: whoever asks for much
 * waits behind himself, not others behind him.
 */
export class FairQueue {
  /** Pieces that were refused, because the line was full or too slow. */
  refused = 0;
  private readonly lines = new Map<string, Waiting[]>();
  private running = 0;
  private waits = 0;

  constructor(private readonly limits: FairQueueLimits) {}

  /** Settles as `work` does. Throws `busy` when too many wait, or its turn did not come in time. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.running >= this.limits.atOnce) await this.turn(key);
    else this.running += 1;
    try {
      return await work();
    } finally {
      this.next();
    }
  }

  /** Pieces that wait. */
  get waiting(): number {
    return this.waits;
  }

  private turn(key: string): Promise<void> {
    const line = this.lines.get(key) ?? [];
    if (this.waits >= this.limits.waiting || line.length >= this.limits.waitingPerKey) {
      return Promise.reject(this.busy());
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.leave(key, line, one);
        reject(this.busy());
      }, this.limits.patienceMs);
      const one: Waiting = { start: resolve, timer };
      line.push(one);
      this.lines.set(key, line);
      this.waits += 1;
    });
  }

  /** Hands the place on to the key that has waited longest for its turn. */
  private next(): void {
    for (const [key, line] of this.lines) {
      const one = line[0]!;
      clearTimeout(one.timer);
      this.leave(key, line, one);
      // The key goes to the end of the round.
      this.lines.delete(key);
      if (line.length > 0) this.lines.set(key, line);
      one.start();
      return;
    }
    this.running -= 1;
  }

  private leave(key: string, line: Waiting[], one: Waiting): void {
    line.splice(line.indexOf(one), 1);
    this.waits -= 1;
    if (line.length === 0) this.lines.delete(key);
  }

  private busy(): TidingsError {
    this.refused += 1;
    return new TidingsError('busy', { retryAfterMs: RETRY_MS });
  }
}
