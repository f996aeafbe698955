import type { Presence } from '@tidings/protocol/http';
import { type ListedError, ErrorList } from './ledger-report';

/** What a user does that others are to see. */
export type ActKind = 'state' | 'close' | 'connect';

/** What can be wrong with what watchers are told. */
export type PresenceErrorType = 'lost' | 'invented' | 'last_word' | 'not_connected';

/** What a watcher is told; `version` is the time of the server's word, microseconds of Unix time. */
export type Word = Pick<Presence, 'status' | 'lastSeenAt' | 'activeAt' | 'version'>;

/** Something that a user did. */
interface Act {
  kind: ActKind;
  /** how others are to see the user behind it */
  status: Presence['status'];
  /** monotonic and Unix milliseconds */
  atMs: number;
  wallMs: number;
  /** its latencies count */
  counts: boolean;
}

/** A user on the list of a watcher, as long as the watcher's socket lives. */
interface Pair {
  /** the first act that the watcher has to see */
  must: number;
  /** the last act that the watcher has seen; −1: not answered yet */
  seen: number;
  word: Word | null;
  sinceMs: number;
}

/** What became of the acts. */
export interface SightCounts {
  /** (act, watcher) pairs: seen in time; their watcher's socket was closed before */
  seen: number;
  excused: number;
  /** never seen, or only later than {@link LOST_AFTER_MS} */
  lost: number;
}

/** A change that a watcher has not seen by then is lost, milliseconds. */
const LOST_AFTER_MS = 10_000;
const US_PER_MS = 1000;

/**
 * Who did what, and what watchers were told of it. User `u` is watched by the users `u − offset`, so
 * that everybody watches, and is watched by, as many.
 *
 * An act is seen with the first word of its status that the server said behind it, or with one that
 * shows a later act: whoever changes twice within a second is told once. Every act behind a watcher's
 * list has to be seen within {@link LOST_AFTER_MS}, as long as the watcher's socket lives; no word may
 * show what nobody did.
 */
export class PresenceLedger {
  readonly errors = new ErrorList<PresenceErrorType>();
  private readonly slots: ReadonlyMap<number, number>;
  private readonly acts: Act[][];
  /** by watcher, then as the offsets; null: no socket with a list */
  private readonly pairs: (Pair[] | null)[];
  private readonly counts: SightCounts = { seen: 0, excused: 0, lost: 0 };

  constructor(
    private readonly users: number,
    private readonly offsets: readonly number[],
    private readonly sight: (kind: ActKind, ms: number) => void,
  ) {
    this.slots = new Map(offsets.map((offset, slot) => [offset, slot]));
    const never: Act = { kind: 'close', status: 'offline', atMs: 0, wallMs: 0, counts: false };
    this.acts = Array.from({ length: users }, () => [never]);
    this.pairs = Array.from({ length: users }, () => null);
  }

  /** Whom a user watches. */
  watchedBy(watcher: number): number[] {
    return this.offsets.map((offset) => (watcher + offset) % this.users);
  }

  /** A user does something. */
  act(user: number, act: Act): void {
    this.acts[user]!.push(act);
  }

  /** A watcher's socket sends its list. */
  watches(watcher: number, nowMs: number): void {
    this.pairs[watcher] = this.watchedBy(watcher).map((user): Pair => {
      return { must: this.acts[user]!.length, seen: -1, word: null, sinceMs: nowMs };
    });
  }

  /** A watcher closes its socket: what it has not seen, it need not see any more. */
  leaves(watcher: number, nowMs: number): void {
    this.settle(watcher, nowMs, 'excused');
    this.pairs[watcher] = null;
  }

  /** A watcher is told something; −1 for a user that nobody knows. */
  told(watcher: number, user: number, word: Word, nowMs: number): void {
    const pairs = this.pairs[watcher];
    if (!pairs) return;
    const slot = user < 0 ? undefined : this.slots.get((user - watcher + this.users) % this.users);
    const pair = slot === undefined ? undefined : pairs[slot];
    if (!pair) {
      this.errors.add('invented', () => `user ${watcher} is told of somebody else`);
      return;
    }
    if (pair.word && word.version <= pair.word.version) return;
    pair.word = word;
    const acts = this.acts[user]!;
    const at = lastShown(acts, word, pair.seen);
    if (at < 0) {
      if (acts[pair.seen]?.status === word.status) return;
      this.errors.add('invented', () => `user ${watcher} is told that ${user} is ${word.status}`);
      return;
    }
    for (let i = Math.max(pair.seen + 1, pair.must); i <= at; i++) {
      this.saw(acts[i]!, nowMs, () => `user ${watcher} saw ${user} only`);
    }
    pair.seen = at;
  }

  /** How many (act, watcher) pairs and lists are still waited for. */
  waiting(nowMs: number): number {
    let count = 0;
    this.each((pair, user) => {
      const { length } = this.acts[user]!;
      const last = this.acts[user]![length - 1]!;
      const from = pair.seen < 0 ? pair.sinceMs : last.atMs;
      const open = pair.seen < 0 || (length > pair.must && length - 1 > pair.seen);
      if (open && nowMs - from <= LOST_AFTER_MS) count++;
    });
    return count;
  }

  /** How many users on lists the watchers were told nothing of yet. */
  unanswered(): number {
    let count = 0;
    this.each(({ seen }) => {
      if (seen < 0) count++;
    });
    return count;
  }

  /** The last words of the watchers that have a socket: of whom, and what. */
  lastWords(watcher: number): { user: number; word: Word | null }[] {
    const pairs = this.pairs[watcher];
    if (!pairs) return [];
    return this.watchedBy(watcher).map((user, slot) => ({ user, word: pairs[slot]!.word }));
  }

  /** Ends the account: whatever was not seen by now is lost. */
  end(nowMs: number): SightCounts {
    for (let watcher = 0; watcher < this.users; watcher++) {
      this.settle(watcher, nowMs, 'lost');
      this.pairs[watcher] = null;
    }
    return this.counts;
  }

  /** What is wrong so far. */
  wrong(): ListedError<PresenceErrorType>[] {
    return this.errors.list();
  }

  private saw({ kind, atMs, counts }: Act, nowMs: number, who: () => string): void {
    const ms = nowMs - atMs;
    // what is late is slow, too
    if (counts) this.sight(kind, ms);
    if (ms > LOST_AFTER_MS) this.lose(() => `${who()} after ${Math.round(ms)} ms (${kind})`);
    else this.counts.seen++;
  }

  private lose(what: () => string): void {
    this.counts.lost++;
    this.errors.add('lost', what);
  }

  private settle(watcher: number, nowMs: number, open: 'excused' | 'lost'): void {
    const users = this.watchedBy(watcher);
    this.pairs[watcher]?.forEach(({ seen, must, sinceMs }, slot) => {
      const user = users[slot]!;
      const gone = (atMs: number): boolean => open === 'lost' || nowMs - atMs > LOST_AFTER_MS;
      if (seen < 0 && gone(sinceMs)) this.lose(() => `user ${watcher} was never told of ${user}`);
      for (const { kind, atMs } of this.acts[user]!.slice(Math.max(seen + 1, must))) {
        if (gone(atMs)) this.lose(() => `user ${watcher} never saw ${user} (${kind})`);
        else this.counts.excused++;
      }
    });
  }

  private each(take: (pair: Pair, user: number) => void): void {
    this.pairs.forEach((pairs, watcher) => {
      if (!pairs) return;
      this.offsets.forEach((offset, slot) => take(pairs[slot]!, (watcher + offset) % this.users));
    });
  }
}

/** The last act behind `seen` of a word's status that was done when the server said it; −1: none. */
function lastShown(acts: readonly Act[], { status, version }: Word, seen: number): number {
  for (let i = acts.length - 1; i > seen; i--) {
    const { status: shown, wallMs } = acts[i]!;
    if (shown === status && wallMs * US_PER_MS <= version) return i;
  }
  return -1;
}

/** Whether two words show the same. While somebody is there, their times say nothing. */
export function sameWord(one: Word, other: Word): boolean {
  if (one.status !== other.status) return false;
  if (one.status === 'away') return one.activeAt === other.activeAt;
  return one.status === 'online' || one.lastSeenAt === other.lastSeenAt;
}
