import type { Logger } from '@tidings/common/runtime/logger';
import { OutboxRepository } from './outbox.repository';
import { OutboxService } from './outbox.service';

const EVERY_MS = 1_000;
/** Conversations per round; they are published one after the other. */
const ROUND = 50;

/** The leader's duty: appends changes whose instance did not get them into the log in time. */
export class OutboxSweep {
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly service: OutboxService,
    private readonly isLeader: () => boolean,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.timer = setTimeout(() => {
      this.round = this.sweep()
        .catch((error: unknown) => this.logger.warn({ err: error }, 'outbox sweep failed'))
        .finally(() => {
          if (!this.stopped) this.start();
        });
    }, EVERY_MS);
    this.timer.unref();
  }

  /** Ends after the round that runs. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.round;
  }

  private async sweep(): Promise<void> {
    if (!this.isLeader()) return;
    for (const conversationId of await this.outbox.overdue(ROUND)) {
      if (this.stopped || !this.isLeader()) return;
      await this.service.publish(conversationId);
      this.logger.info({ conversationId }, 'a change left in the outbox is in the log');
    }
  }
}
