import type { Logger } from '@tidings/common/runtime/logger';
import { Rounds } from '../log/rounds';
import type { ExpiryRepository } from './expiry.repository';

/** Messages of one statement: it holds their locks. */
const ROUND = 500;
/** How long a tombstone answers repetitions of its message's id, in seconds. */
const TOMBSTONE_SECONDS = 90 * 24 * 3600;
/** How often tombstones are looked through, in milliseconds. */
const TOMBSTONES_EVERY_MS = 60_000;

export interface ExpirySweepParts {
  expiry: Pick<ExpiryRepository, 'clear' | 'removeTombstones'>;
  isLeader: () => boolean;
  everyMs: number;
  /** Counts messages whose content has gone. */
  cleared: (messages: number) => void;
  /** Monotonic milliseconds. */
  clock: () => number;
  logger: Logger;
}

/**
 * The leader's duty: content leaves PostgreSQL when its time is over; what remains are tombstones,
 * which go after 90 days. Each statement is a step of its own, so that a round may end anywhere.
 */
export class ExpirySweep {
  private readonly rounds: Rounds;
  private tombstonesAt = -Infinity;

  constructor(private readonly parts: ExpirySweepParts) {
    const { everyMs, logger } = parts;
    this.rounds = new Rounds(() => this.sweep(), { name: 'expiry sweep', everyMs, logger });
  }

  start(): void {
    this.rounds.start();
  }

  /** Ends after the statement that runs. */
  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /** One round, up to the last message that is over; public for tests. */
  async sweep(): Promise<void> {
    const { expiry, clock } = this.parts;
    await this.repeat(async () => {
      const cleared = await expiry.clear(ROUND);
      if (cleared > 0) this.parts.cleared(cleared);
      return cleared;
    });
    if (clock() - this.tombstonesAt < TOMBSTONES_EVERY_MS) return;
    const done = await this.repeat(() => expiry.removeTombstones(TOMBSTONE_SECONDS, ROUND));
    if (done) this.tombstonesAt = clock();
  }

  /** Goes on while there is more and this instance leads; true when nothing is left. */
  private async repeat(step: () => Promise<number>): Promise<boolean> {
    while (!this.rounds.stopped && this.parts.isLeader()) {
      if ((await step()) < ROUND) return true;
    }
    return false;
  }
}
