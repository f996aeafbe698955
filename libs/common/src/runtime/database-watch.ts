import type { Logger } from './logger';

const EVERY_MS = 1_000;

/** Asks a database every second whether it answers: for readiness, and to log each outage once. */
export class DatabaseWatch {
  private state: 'unknown' | 'up' | 'down' = 'unknown';
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly ask: () => Promise<unknown>,
    private readonly logger: Logger,
  ) {}

  /** Asks once, then every second. Never rejects. */
  async start(): Promise<void> {
    await this.look();
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.start(), EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Why the database cannot be used at the moment; null: it can. */
  problem(): string | null {
    return this.state === 'up' ? null : 'does not answer';
  }

  private async look(): Promise<void> {
    try {
      await this.ask();
      if (this.state === 'down') this.logger.info('the database answers again');
      this.state = 'up';
    } catch (error) {
      if (this.state !== 'down' && !this.stopped) {
        this.logger.error(
          { err: error },
          'the database does not answer; what is new waits in the log',
        );
      }
      this.state = 'down';
    }
  }
}
