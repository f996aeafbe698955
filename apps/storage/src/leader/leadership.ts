import type { Logger } from '@tidings/common/runtime/logger';
import type { LeadersRepository } from './leaders.repository';

const LOOK_MS = 500;

export interface LeadershipParts {
  service: string;
  nodeId: string;
  bootId: string;
  /** Whether this instance owns partition 0, by a heartbeat of the last five seconds. */
  owns: () => boolean;
  leaders: Pick<LeadersRepository, 'claim'>;
  logger: Pick<Logger, 'info' | 'debug'>;
  /** Told of each change. */
  changed?: (leads: boolean) => void;
}

/**
 * Whether this instance leads its service: the owner of partition 0 of its group, as Kafka says, which
 * takes a row with a new term. Steps name the term, so that those of an instance that was stopped in
 * between are refused by PostgreSQL, whatever it believes.
 */
export class Leadership {
  private held: string | null = null;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(private readonly parts: LeadershipParts) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The term of this instance; null: it does not lead now. */
  term(): string | null {
    return this.parts.owns() ? this.held : null;
  }

  /** Takes the lead, or gives it up, as Kafka says; public for tests. Never rejects. */
  async look(): Promise<void> {
    const { service, nodeId, bootId, owns, leaders, logger } = this.parts;
    if (this.looking) return;
    this.looking = true;
    try {
      if (!owns()) this.set(null);
      else if (this.held === null) {
        const term = await leaders.claim(service, nodeId, bootId);
        // ownership may have gone while PostgreSQL answered; then the next owner's term is higher
        this.set(owns() ? term : null);
      }
    } catch (error) {
      logger.debug({ err: error }, 'the lead could not be taken');
    } finally {
      this.looking = false;
    }
  }

  private set(term: string | null): void {
    if (term === this.held) return;
    const { service, logger, changed } = this.parts;
    if (term === null) logger.info({ service, term: this.held }, 'leads no more');
    else logger.info({ service, term }, 'leads');
    this.held = term;
    changed?.(term !== null);
  }
}
