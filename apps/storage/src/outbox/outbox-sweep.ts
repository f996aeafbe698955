import type { Logger } from '@tidings/common/runtime/logger';
import { Rounds } from '@tidings/common/runtime/rounds';
import { OutboxRepository } from './outbox.repository';
import { OutboxService } from './outbox.service';

const EVERY_MS = 1_000;
/** Conversations per round; they are published one after the other. */
const ROUND = 50;

/** The leader's duty: appends changes whose instance did not get them into the log in time. */
export class OutboxSweep {
  private readonly rounds: Rounds;

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly service: OutboxService,
    /** This instance's term as leader; null: it does not lead. */
    private readonly term: () => string | null,
    private readonly logger: Logger,
  ) {
    this.rounds = new Rounds(() => this.sweep(), {
      name: 'outbox sweep',
      everyMs: EVERY_MS,
      logger,
    });
  }

  start(): void {
    this.rounds.start();
  }

  /** Ends after the round that runs. */
  stop(): Promise<void> {
    return this.rounds.stop();
  }

  private async sweep(): Promise<void> {
    const term = this.term();
    if (term === null) return;
    for (const conversationId of await this.outbox.overdue(ROUND, term)) {
      if (this.rounds.stopped || this.term() !== term) return;
      await this.service.publish(conversationId);
      this.logger.info({ conversationId }, 'a change left in the outbox is in the log');
    }
  }
}
