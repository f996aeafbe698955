import { TidingsError } from '@tidings/common/contracts/errors';

const RETRY_MS = 2_000;

/** Bounds how many uploads run here at a time, in all and per user. */
export class UploadSlots {
  private readonly byUser = new Map<string, number>();
  private taken = 0;

  constructor(private readonly limits: { all: number; perUser: number }) {}

  /** Takes a slot and gives what frees it. Throws `busy` when there is none. */
  take(userId: string): () => void {
    const own = this.byUser.get(userId) ?? 0;
    if (this.taken >= this.limits.all || own >= this.limits.perUser) {
      const detail = 'Too many uploads run at the moment';
      throw new TidingsError('busy', { detail, retryAfterMs: RETRY_MS });
    }
    this.taken += 1;
    this.byUser.set(userId, own + 1);
    let freed = false;
    return () => {
      if (freed) return;
      freed = true;
      this.free(userId);
    };
  }

  /** Uploads that run. */
  get size(): number {
    return this.taken;
  }

  private free(userId: string): void {
    this.taken -= 1;
    const left = (this.byUser.get(userId) ?? 1) - 1;
    if (left > 0) this.byUser.set(userId, left);
    else this.byUser.delete(userId);
  }
}

/** Lets so many pieces of work run at a time; the others wait in line. Bounded by whoever asks. */
export class Turns {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(private readonly atOnce: number) {}

  /** Runs `work` when it is its turn; settles as it does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.atOnce) await new Promise<void>((go) => this.waiting.push(go));
    else this.running += 1;
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}
