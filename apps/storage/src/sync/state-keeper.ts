import type { Logger } from '@tidings/common/runtime/logger';
import { KEEP } from '../conversations/kept-state.sql';
import type { Sql } from '../database/database';

/** What a sync counted in one conversation, for one user. Positions are decimal strings. */
export interface Counted {
  conversationId: string;
  userId: string;
  /** The conversation's last position in that snapshot. */
  position: string;
  /** The plain digest; null: it was kept already, or is not the plain one. */
  digest: { value: string; from: string; since: Date; until: Date | null } | null;
  /** Null: the count was kept already. */
  unread: { count: number; after: string; until: Date | null } | null;
}

/** Most conversations that wait to be kept; what is beyond is counted again by a later sync. */
const WAITING_MAX = 5_000;
/** Conversations of one statement. */
const STATEMENT_MAX = 500;

/**
 * Keeps what syncs counted beside conversations and members, behind their answers: the next sync of
 * a quiet conversation reads no message. One write at a time, of one statement for all syncs that were
 * answered during the last one, which waits for no lock and no disk: what is lost is counted again.
 */
export class StateKeeper {
  private waiting = new Map<string, Counted>();
  private writing: Promise<void> | null = null;
  private stopped = false;

  constructor(
    private readonly database: Sql,
    private readonly logger: Pick<Logger, 'debug'>,
    private readonly dropped: () => void = () => undefined,
  ) {}

  /** Takes what was counted; returns at once and never throws. */
  keep(counted: readonly Counted[]): void {
    if (this.stopped) return;
    for (const one of counted) {
      if (!one.digest && !one.unread) continue;
      const key = `${one.conversationId} ${one.userId}`;
      if (this.waiting.size < WAITING_MAX || this.waiting.has(key)) this.waiting.set(key, one);
      else this.dropped();
    }
    if (this.waiting.size > 0) this.writing ??= this.writeAll();
  }

  /** Settles when nothing is being written. */
  async idle(): Promise<void> {
    await this.writing;
  }

  /** Gives up what waits and lets the running write end. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.waiting.clear();
    await this.writing;
  }

  private async writeAll(): Promise<void> {
    // what comes in this turn goes along
    await Promise.resolve();
    while (this.waiting.size > 0) {
      const some = [...this.waiting.entries()].slice(0, STATEMENT_MAX);
      for (const [key] of some) this.waiting.delete(key);
      try {
        await this.write(some.map(([, one]) => one));
      } catch (error) {
        this.logger.debug({ err: error }, 'what syncs counted was not kept');
      }
    }
    this.writing = null;
  }

  private async write(counted: readonly Counted[]): Promise<void> {
    const digests = [
      ...new Map(
        counted.flatMap((c) => (c.digest ? [[c.conversationId, { ...c, ...c.digest }]] : [])),
      ).values(),
    ];
    const unread = counted.flatMap((c) => (c.unread ? [{ ...c, ...c.unread }] : []));
    await this.database.rows(KEEP, [
      digests.map((c) => c.conversationId),
      digests.map((c) => c.position),
      digests.map((c) => c.value),
      digests.map((c) => c.from),
      digests.map((c) => c.since),
      digests.map((c) => c.until),
      unread.map((c) => c.conversationId),
      unread.map((c) => c.userId),
      unread.map((c) => c.position),
      unread.map((c) => c.after),
      unread.map((c) => c.count),
      unread.map((c) => c.until),
    ]);
  }
}
