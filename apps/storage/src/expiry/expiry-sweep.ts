import type { Logger } from '@tidings/common/runtime/logger';
import { Rounds } from '@tidings/common/runtime/rounds';
import type { ExpiryRepository } from './expiry.repository';

/** Messages of one statement: it holds their locks. */
const ROUND = 500;
/** How long a tombstone answers repetitions of its message's id, in seconds. */
const TOMBSTONE_SECONDS = 90 * 24 * 3600;
/** How often tombstones and acts of operators are looked through, in milliseconds. */
const TOMBSTONES_EVERY_MS = 60_000;

export interface ExpirySweepParts {
  expiry: Pick<ExpiryRepository, 'clear' | 'removeTombstones' | 'removeActs'>;
  everyMs: number;
  /** Counts messages whose content has gone. */
  cleared: (messages: number) => void;
  /** Monotonic milliseconds. */
  clock: () => number;
  logger: Logger;
}

/**
 * Content leaves PostgreSQL when its time is over; what remains are tombstones, which go after 90 days.
 * Acts of operators go after a year. Each statement is a step of its own, so that a round may end
 * anywhere. All instances do it, one at a time: it goes on while Kafka, and with it every leader, is away.
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
      if (cleared) this.parts.cleared(cleared);
      return cleared;
    });
    if (clock() - this.tombstonesAt < TOMBSTONES_EVERY_MS) return;
    const done =
      (await this.repeat(() => expiry.removeTombstones(TOMBSTONE_SECONDS, ROUND))) &&
      (await this.repeat(() => expiry.removeActs(ROUND)));
    if (done) this.tombstonesAt = clock();
  }

  /** Goes on while there is more and no other instance does it; true when nothing is left. */
  private async repeat(step: () => Promise<number | null>): Promise<boolean> {
    while (!this.rounds.stopped) {
      const done = await step();
      if (done === null) return false;
      if (done < ROUND) return true;
    }
    return false;
  }
}
