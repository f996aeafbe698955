import { hash, verify } from '@node-rs/argon2';
import { TidingsError } from '@tidings/common/contracts/errors';

/** argon2id (the library's default) with OWASP's parameters (ASVS 11.4.2): 19 MiB, two passes, one lane. */
const PARAMETERS = {
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
} as const;

/** How many hashes are computed at the same time, on libuv's threads. */
const CONCURRENCY = 2;
/** How many may wait; more are refused as `busy`. */
const WAITING = 200;
/** Whoever waited this long has given up: its hash is not computed any more, in milliseconds. */
const WAIT_LIMIT_MS = 2_500;
const RETRY_AFTER_MS = 2_000;

interface Job {
  queuedAt: number;
  run: () => void;
  refuse: (error: Error) => void;
}

/** Hashes and checks passwords off the event loop, a bounded number at a time. */
export class PasswordHasher {
  private readonly waiting: Job[] = [];
  private running = 0;
  private readonly dummy: Promise<string>;

  constructor(private readonly clock: () => number = () => performance.now()) {
    this.dummy = hash('the password of nobody', PARAMETERS);
  }

  /** PHC string of a new password. Throws `busy`. */
  hash(password: string): Promise<string> {
    return this.enqueue(() => hash(Buffer.from(password), PARAMETERS));
  }

  /** Whether a password fits a PHC string; null, for an unknown user, costs the same. Throws `busy`. */
  verify(phc: string | null, password: string): Promise<boolean> {
    return this.enqueue(async () => {
      const fits = await verify(phc ?? (await this.dummy), Buffer.from(password));
      return fits && phc !== null;
    });
  }

  /** Passwords that wait for their turn. */
  get queued(): number {
    return this.waiting.length;
  }

  private enqueue<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting.length >= WAITING) return Promise.reject(busy());
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
      this.waiting.push({ queuedAt: this.clock(), run, refuse: reject });
      this.next();
    });
  }

  private next(): void {
    while (this.running < CONCURRENCY) {
      const job = this.waiting.shift();
      if (!job) return;
      if (this.clock() - job.queuedAt > WAIT_LIMIT_MS) job.refuse(busy());
      else job.run();
    }
  }
}

function busy(): TidingsError {
  return new TidingsError('busy', {
    detail: 'Too many people log in or register right now',
    retryAfterMs: RETRY_AFTER_MS,
  });
}
