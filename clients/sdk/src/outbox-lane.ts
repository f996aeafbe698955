import type { OutboxRecord } from './outbox-store';

/**
 * `waiting` to be put on the wire, `sending` without an answer yet, `held` on a gateway's disk,
 * `sent`: it is in the log, `failed`: refused for good.
 */
export type OutgoingState = 'waiting' | 'sending' | 'held' | 'sent' | 'failed';

/** One message in the outbox. */
export interface OutboxEntry {
  readonly record: OutboxRecord;
  state: OutgoingState;
  /** It may have been on the wire before. */
  retry: boolean;
  /** Stored safely (see OutboxStore.add), so that it may be sent. */
  kept: boolean;
  /** How often a gateway answered `held`. */
  holds: number;
  /** When it was last put on the wire, or `held` came; by the client's clock. */
  since: number;
}

/** How long an answer may take before a message is sent again, in milliseconds. */
const ANSWER_MS = 10_000;
/** How long a gateway may hold a message before it is sent again. */
const HELD_MS = 60_000;
/** No wait for an answer grows beyond this. */
const LONGEST_WAIT_MS = 300_000;

/**
 * The messages of one conversation, oldest first. Those before `next` are on the wire, the others
 * follow in order: nothing overtakes.
 */
export class OutboxLane {
  readonly entries: OutboxEntry[] = [];
  /** Index of the first entry that is not on the wire. */
  private next = 0;
  /** How often in a row nothing was answered, or a retryable error was. */
  tries = 0;
  /** Nothing is sent before this time, by the client's clock. */
  pausedUntil = 0;

  /** The next entry to be sent; null: none may be. */
  peek(now: number): OutboxEntry | null {
    const entry = this.entries[this.next];
    return entry?.kept && now >= this.pausedUntil ? entry : null;
  }

  /** The entry that {@link peek} gave is on the wire now. */
  advance(now: number): void {
    const entry = this.entries[this.next++]!;
    entry.state = 'sending';
    entry.since = now;
  }

  /** Whether something is left to be put on the wire. */
  get waiting(): boolean {
    return this.next < this.entries.length;
  }

  /** Takes an entry out: it is settled. */
  take(entry: OutboxEntry): void {
    const index = this.entries.indexOf(entry);
    if (index < 0) return;
    this.entries.splice(index, 1);
    if (index < this.next) this.next--;
  }

  /** Everything on the wire has to be sent again, from the oldest. Gives what it was. */
  rewind(): OutboxEntry[] {
    const again = this.entries.slice(0, this.next);
    this.next = 0;
    for (const entry of again) entry.retry = true;
    return again;
  }

  /** When the oldest entry on the wire has waited too long; null: none is on the wire. */
  deadline(): number | null {
    const oldest = this.next > 0 ? this.entries[0] : undefined;
    if (!oldest) return null;
    const first = oldest.state === 'held' ? HELD_MS : ANSWER_MS;
    return oldest.since + Math.min(first * 2 ** Math.min(this.tries, 10), LONGEST_WAIT_MS);
  }
}
