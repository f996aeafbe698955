import { TidingsError } from '@tidings/protocol/errors';
import { FairQueue, type Flow, type QueueLimits } from './fair-queue';

const RETRY_AFTER_MS = 2_000;

export interface FairTurnsOptions {
  /** How many pieces of work run at a time. */
  concurrency: number;
  limits: QueueLimits;
  /**
   * After this wait the caller has given up: the work is not started when its turn comes;
   * milliseconds.
   */
  waitLimitMs: number;
  /** `detail` of the `busy` that refuses; for people. */
  detail: string;
}

interface Job {
  queuedAt: number;
  run: () => void;
  refuse: (error: Error) => void;
}

/**
 * Runs work of which only a limited number may be in progress, in fair turns: see {@link
 * FairQueue}.
 */
export class FairTurns {
  /** Work that was refused as `busy`; a plain count. */
  refused = 0;
  private readonly waiting: FairQueue<Job>;
  private running = 0;

  constructor(
    private readonly options: FairTurnsOptions,
    /** Monotonic milliseconds. */
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.waiting = new FairQueue(options.limits);
  }

  /** Work that waits for its turn. */
  get queued(): number {
    return this.waiting.size;
  }

  /** Runs the work when its turn comes. Throws `busy`, or what the work throws. */
  take<T>(flow: Flow, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = (): void => {
        this.running++;
        work()
          .then(resolve, reject)
          .finally(() => {
            this.running--;
            this.next();
          });
      };
      const job = { queuedAt: this.clock(), run, refuse: reject };
      const refused = this.waiting.push(flow, job);
      if (refused) this.refuse(refused);
      this.next();
    });
  }

  private next(): void {
    while (this.running < this.options.concurrency) {
      const job = this.waiting.shift();
      if (!job) return;
      if (this.clock() - job.queuedAt > this.options.waitLimitMs) this.refuse(job);
      else job.run();
    }
  }

  private refuse(job: Job): void {
    this.refused += 1;
    const { detail } = this.options;
    job.refuse(new TidingsError('busy', { detail, retryAfterMs: RETRY_AFTER_MS }));
  }
}
