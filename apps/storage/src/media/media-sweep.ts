import { originalKey, thumbnailKey, type MediaDriver } from '@tidings/common/media/media-driver';
import type { Logger } from '@tidings/common/runtime/logger';
import { Rounds } from '@tidings/common/runtime/rounds';
import type { MediaRepository } from './media.repository';

/** Uploads of one statement; a sweep goes on until none is left. */
const ROUND = 100;

export interface MediaSweepParts {
  media: Pick<MediaRepository, 'beginRemovals' | 'remove' | 'unwatchShown'>;
  driver: Pick<MediaDriver, 'remove'>;
  /** This instance's term as leader; null: it does not lead. */
  term: () => string | null;
  /**
   * Whether everything that is in the log now is applied: a message that shows an upload may wait
   * there. May reject.
   */
  caughtUp: () => Promise<boolean>;
  everyMs: number;
  logger: Logger;
}

/**
 * The leader's duty: removes uploads that no message shows (any more). Bytes first, then the row, so
 * that a round that ends half-way is taken up by the next, of whichever leader.
 */
export class MediaSweep {
  private readonly rounds: Rounds;

  constructor(private readonly parts: MediaSweepParts) {
    const { everyMs, logger } = parts;
    this.rounds = new Rounds(() => this.sweep(), { name: 'media sweep', everyMs, logger });
  }

  start(): void {
    this.rounds.start();
  }

  /** Ends after the round that runs. */
  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /** Until nothing is left to be removed; public for tests. */
  async sweep(): Promise<void> {
    while (await this.step());
  }

  /** Removes some; true when there are more. */
  private async step(): Promise<boolean> {
    const { media, driver, caughtUp, logger } = this.parts;
    const term = this.parts.term();
    if (this.rounds.stopped || term === null || !(await caughtUp())) return false;
    await media.unwatchShown(ROUND);
    const removals = await media.beginRemovals(ROUND, term);
    for (const removal of removals) {
      if (this.rounds.stopped || this.parts.term() !== term) return false;
      await driver.remove(thumbnailKey(removal.mediaId));
      await driver.remove(originalKey(removal.mediaId));
      await media.remove(removal);
      logger.debug({ mediaId: removal.mediaId }, 'an upload that nothing shows is removed');
    }
    return removals.length === ROUND;
  }
}
