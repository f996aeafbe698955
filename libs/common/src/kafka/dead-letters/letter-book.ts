import {
  type DeadLetter,
  type DeadLetterMark,
  letterId,
  type LetterOrigin,
  originKey,
} from '../../log-events/dead-letter';

/** A record that was set aside, by one group or several, and what was done about it. */
export interface BookEntry {
  readonly id: string;
  readonly origin: LetterOrigin;
  /** One for each dead-letter topic that has it; a second copy says nothing new. */
  readonly letters: DeadLetter[];
  /** The latest ones, in the order in which they were read. */
  readonly marks: DeadLetterMark[];
}

/** Marks of one entry that are kept. */
const KEPT_MARKS = 8;

/** The mark that has settled an entry; undefined: it is open. */
export function settledBy({ marks }: BookEntry): DeadLetterMark | undefined {
  return marks.find(({ mark }) => mark !== 'replaying');
}

/** Whether what the record says is still missing. */
export function isOpen(entry: BookEntry): boolean {
  return entry.letters.length > 0 && settledBy(entry) === undefined;
}

/**
 * Which records are set aside and what was done about them, from all dead-letter topics together. What
 * is settled stays known: a copy of a letter may come late. Holds `limit` entries: of more only the
 * number is kept, so that {@link openIn} is too high rather than too low.
 */
export class LetterBook {
  private readonly entries = new Map<string, BookEntry>();
  private readonly beyond = new Map<string, number>();

  constructor(private readonly limit: number) {}

  /** Takes in what was read. */
  take(found: DeadLetter | DeadLetterMark): void {
    const key = originKey(found.origin);
    const entry = this.entries.get(key) ?? this.begin(key, found);
    if (!entry) return;
    if (found.kind === 'mark') {
      if (entry.marks.length >= KEPT_MARKS) entry.marks.splice(1, 1);
      entry.marks.push(found);
    } else if (!entry.letters.some(({ topic }) => topic === found.topic)) {
      entry.letters.push(found);
    }
  }

  /** Retention has taken what lies below an offset of a dead-letter topic. */
  trim(topic: string, partition: number, low: bigint): void {
    const isGone = (one: DeadLetter | DeadLetterMark): boolean =>
      one.topic === topic && one.partition === partition && one.offset < low;
    for (const [key, entry] of this.entries) {
      const { letters, marks } = entry;
      if (![...letters, ...marks].some(isGone)) continue;
      const left = {
        letters: letters.filter((l) => !isGone(l)),
        marks: marks.filter((m) => !isGone(m)),
      };
      if (left.letters.length === 0 && left.marks.length === 0) this.entries.delete(key);
      else this.entries.set(key, { ...entry, ...left });
    }
  }

  /** A topic is read from its start again. */
  forget(topic: string): void {
    this.beyond.delete(topic);
    for (const [key, entry] of this.entries) {
      const letters = entry.letters.filter((one) => one.topic !== topic);
      const marks = entry.marks.filter((one) => one.topic !== topic);
      if (letters.length === 0 && marks.length === 0) this.entries.delete(key);
      else this.entries.set(key, { ...entry, letters, marks });
    }
  }

  /** All entries that have letters, in the order in which they were read. */
  all(): BookEntry[] {
    return [...this.entries.values()].filter(({ letters }) => letters.length > 0);
  }

  /** Those that are missing, in the order in which they were read. */
  open(): BookEntry[] {
    return [...this.entries.values()].filter(isOpen);
  }

  /** How many of a dead-letter topic are open. */
  openIn(topic: string): number {
    const held = this.open().filter(({ letters }) => letters.some((one) => one.topic === topic));
    return held.length + (this.beyond.get(topic) ?? 0);
  }

  /** The entry of this name; of several (their log was made anew) the latest that is open, else the latest. */
  find(id: string): BookEntry | undefined {
    const named = this.all()
      .filter((entry) => entry.id === id)
      .sort((a, b) => b.origin.timestamp - a.origin.timestamp);
    return named.find(isOpen) ?? named[0];
  }

  private begin(key: string, found: DeadLetter | DeadLetterMark): BookEntry | null {
    if (this.entries.size >= this.limit && !this.makeRoom()) {
      if (found.kind === 'letter') {
        this.beyond.set(found.topic, (this.beyond.get(found.topic) ?? 0) + 1);
      }
      return null;
    }
    const { origin } = found;
    const entry: BookEntry = { id: letterId(origin), origin, letters: [], marks: [] };
    this.entries.set(key, entry);
    return entry;
  }

  /** Forgets the oldest entry that is settled. */
  private makeRoom(): boolean {
    for (const [key, entry] of this.entries) {
      if (isOpen(entry)) continue;
      this.entries.delete(key);
      return true;
    }
    return false;
  }
}
