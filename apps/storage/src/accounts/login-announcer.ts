import type { LoginEnd } from '@tidings/common/rpc/calls';
import { DeviceLogins } from '@tidings/common/redis/logins';
import type { Logger } from '@tidings/common/runtime/logger';
import type { LoginRow } from './logins.repository';

/** How many raises may wait for Redis; the oldest is dropped then (its token ends in 15 minutes). */
const WAITING = 10_000;
const RETRY_MS = 500;
const ROUND = 100;

type Raise = LoginRow & { end: LoginEnd | null };

/**
 * Tells Redis about generations that PostgreSQL has: at once, and again until it succeeds, because a
 * Redis that comes back with an old generation would let a logged-out device in.
 */
export class LoginAnnouncer {
  private readonly waiting = new Map<string, Raise>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly logins: DeviceLogins,
    private readonly logger: Logger,
  ) {}

  /** Raises the generations in Redis; `end`: how these logins ended. Never rejects: PostgreSQL has the truth. */
  async announce(rows: readonly LoginRow[], end: LoginEnd | null = null): Promise<void> {
    await Promise.all(rows.map((row) => this.raise({ ...row, end })));
  }

  /** Raises that Redis has not taken yet. */
  get pending(): number {
    return this.waiting.size;
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async raise(row: Raise): Promise<void> {
    try {
      await this.logins.raise(row.userId, row.deviceId, row.generation, row.end);
      const later = this.waiting.get(row.deviceId);
      if (later && later.generation <= row.generation) this.waiting.delete(row.deviceId);
    } catch (error) {
      this.keep(row, error);
    }
  }

  private keep(row: Raise, error: unknown): void {
    const known = this.waiting.get(row.deviceId);
    if (known && known.generation >= row.generation) return;
    if (this.waiting.size === 0) {
      this.logger.warn({ err: error }, 'logins wait for Redis');
    } else if (this.waiting.size >= WAITING) {
      this.waiting.delete(this.waiting.keys().next().value!);
    }
    this.waiting.set(row.deviceId, row);
    this.arm();
  }

  private arm(): void {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      void this.retry().finally(() => {
        this.timer = undefined;
        if (this.waiting.size > 0) this.arm();
      });
    }, RETRY_MS);
    this.timer.unref();
  }

  private async retry(): Promise<void> {
    const some = [...this.waiting.values()].slice(0, ROUND);
    await Promise.all(some.map((row) => this.raise(row)));
  }
}
