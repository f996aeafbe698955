import type { Logger } from './logger';

export interface RoundsParts {
  /** What is done, in words for the log. */
  name: string;
  everyMs: number;
  logger: Pick<Logger, 'warn'>;
}

/** Does something again and again: so long after the end of the round before, one at a time. */
export class Rounds {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private ending = false;

  constructor(
    private readonly round: () => Promise<void>,
    private readonly parts: RoundsParts,
  ) {}

  /** Whether a round should end early. */
  get stopped(): boolean {
    return this.ending;
  }

  start(): void {
    const { name, everyMs, logger } = this.parts;
    this.timer = setTimeout(() => {
      this.running = this.round()
        .catch((error: unknown) => logger.warn({ err: error }, `${name} failed`))
        .finally(() => {
          if (!this.ending) this.start();
        });
    }, everyMs);
    this.timer.unref();
  }

  /** Begins no round any more and waits for the one that runs. */
  async stop(): Promise<void> {
    this.ending = true;
    clearTimeout(this.timer);
    await this.running;
  }
}
