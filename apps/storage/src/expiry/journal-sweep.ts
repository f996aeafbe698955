import type { RewriteOutcome } from '@tidings/common/redis/append-only-file';
import type { Logger } from '@tidings/common/runtime/logger';
import { Rounds } from '@tidings/common/runtime/rounds';

/** How often is looked whether it is time, and whether this instance leads; milliseconds. */
const LOOK_MS = 60_000;

/** A file to which a server appends what it is told, and which therefore keeps what has gone. */
export interface Journal {
  /** `redis` or `postgresql`. */
  name: string;
  rewrite(): Promise<RewriteOutcome>;
}

export interface JournalSweepParts {
  journals: readonly Journal[];
  isLeader: () => boolean;
  /** Longest time between two rewrites; 0: none. */
  everyMs: number;
  /** Counts what became of each. */
  count: (journal: string, outcome: RewriteOutcome | 'failed') => void;
  /** Monotonic milliseconds. */
  clock: () => number;
  logger: Pick<Logger, 'info' | 'warn'>;
}

/**
 * The leader's duty: expired texts leave the journals of Redis and PostgreSQL, too. A failed rewrite is
 * tried again a minute later; one that is refused is logged once, and tried again at its time.
 */
export class JournalSweep {
  private readonly rounds: Rounds;
  /** When each was last dealt with. */
  private readonly at = new Map<string, number>();
  private readonly refused = new Set<string>();

  constructor(private readonly parts: JournalSweepParts) {
    const { everyMs, logger } = parts;
    const lookMs = Math.min(everyMs, LOOK_MS);
    const options = { name: 'rewriting journals', everyMs: lookMs, logger };
    this.rounds = new Rounds(() => this.sweep(), options);
  }

  start(): void {
    if (this.parts.everyMs > 0) this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /** One round; public for tests. */
  async sweep(): Promise<void> {
    for (const journal of this.parts.journals) {
      if (this.rounds.stopped || !this.parts.isLeader()) return;
      await this.rewrite(journal);
    }
  }

  private async rewrite(journal: Journal): Promise<void> {
    const { clock, everyMs, count, logger } = this.parts;
    const { name } = journal;
    const began = clock();
    // What expires up to the next look is rewritten in time.
    if (began - (this.at.get(name) ?? -Infinity) < everyMs - Math.min(everyMs, LOOK_MS)) return;
    try {
      const outcome = await journal.rewrite();
      this.at.set(name, began);
      count(name, outcome);
      if (outcome === 'done') this.refused.delete(name);
      if (outcome !== 'refused' || this.refused.has(name)) return;
      this.refused.add(name);
      logger.warn(
        { journal: name },
        'the server refuses to rewrite its journal: it keeps expired texts',
      );
    } catch (error) {
      count(name, 'failed');
      if (!this.rounds.stopped)
        logger.warn({ err: error, journal: name }, 'a journal was not rewritten');
    }
  }
}
