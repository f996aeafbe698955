import type { Logger } from '@tidings/common/runtime/logger';
import { Rounds } from '@tidings/common/runtime/rounds';
import type { BroadcastsService } from './broadcasts.service';

const EVERY_MS = 1_000;

/** The leader's duty: appends broadcasts, and deletions of them, whose instance did not get so far. */
export class BroadcastSweep {
  private readonly rounds: Rounds;

  constructor(
    private readonly service: Pick<BroadcastsService, 'takeOver'>,
    /** This instance's term as leader; null: it does not lead. */
    private readonly term: () => string | null,
    private readonly logger: Logger,
  ) {
    this.rounds = new Rounds(() => this.sweep(), {
      name: 'broadcast sweep',
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
    if (await this.service.takeOver(term)) this.logger.info('took over broadcasts left undone');
  }
}
