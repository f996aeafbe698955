import type { Message } from '@tidings/protocol/content';
import type { Receipt } from '@tidings/protocol/http';
import { comparePositions, maxPosition } from '@tidings/protocol/positions';
import { coversMarks, mergeMarks, NO_MARKS, type Marks } from '@tidings/protocol/receipt-marks';

/** A member's marks rose; positions. A `read` that privacy hides stays where it was, or "0". */
export interface ReceiptNews extends Receipt {
  conversationId: string;
  own: boolean;
}

/** The server's count: messages of others in (read, upTo]. */
interface Counted {
  read: string;
  upTo: string;
  unread: number;
}

/** Held messages above a position. `whole`: nothing visible is missing there. */
export interface Above {
  messages: Message[];
  whole: boolean;
}

/** The watermarks of one conversation's members: pure, merged by maximum. */
export class ReceiptBook {
  private readonly marks = new Map<string, Marks>();
  private counted: Counted | null = null;
  /** How far this device wants to have read. */
  private wantedRead = '0';

  constructor(private readonly userId: string) {}

  /** This user's marks as the server knows them. */
  get confirmed(): Marks {
    return this.marks.get(this.userId) ?? NO_MARKS;
  }

  /** This user's marks, including what this device has read and the server may not know yet. */
  get own(): Marks {
    return mergeMarks(this.confirmed, { read: this.wantedRead });
  }

  /** Everybody's marks, as far as visible. */
  all(): Receipt[] {
    const others = [...this.marks].filter(([userId]) => userId !== this.userId);
    return [...others, [this.userId, this.own] as const].map(([userId, marks]) => ({
      userId,
      ...marks,
    }));
  }

  /** Takes one member's marks; true when they rose. */
  merge(userId: string, marks: Marks): boolean {
    const known = this.marks.get(userId) ?? NO_MARKS;
    const fresh = !this.marks.has(userId);
    if (!fresh && coversMarks(known, marks)) return false;
    this.marks.set(userId, mergeMarks(known, marks));
    return !fresh || !coversMarks(NO_MARKS, marks);
  }

  /**
   * Takes the marks in an answer to `sync`; returns those that rose. A list that names others is
   * complete: anybody missing from it is no longer a member.
   */
  serve(receipts: readonly Receipt[], counted: { upTo: string; unread: number }): string[] {
    const raised = receipts.length > 1 ? this.mergeAll(receipts) : this.mergeSome(receipts);
    const own = receipts.find((r) => r.userId === this.userId);
    this.count({ ...counted, read: own?.read ?? '0' });
    return raised;
  }

  /**
   * Takes the marks of all members; returns those that rose. Anybody missing is no longer a member.
   */
  mergeAll(receipts: readonly Receipt[]): string[] {
    const present = new Set(receipts.map((r) => r.userId));
    for (const userId of this.marks.keys()) if (!present.has(userId)) this.marks.delete(userId);
    return this.mergeSome(receipts);
  }

  /** Takes the marks of some members; returns those that rose. */
  mergeSome(receipts: readonly Receipt[]): string[] {
    return receipts.filter((r) => this.merge(r.userId, r)).map((r) => r.userId);
  }

  /** Takes the server's count, unless it is about an older mark than this user's. */
  count(counted: Counted): void {
    if (comparePositions(counted.read, this.own.read) < 0) return;
    this.counted = counted;
  }

  /** A message is gone: if the server counted it, it no longer does. */
  uncount(message: Message): void {
    if (!this.counted || !this.counts(message, -Infinity)) return;
    const { read, upTo, unread } = this.counted;
    const { position } = message;
    if (comparePositions(position, read) <= 0 || comparePositions(position, upTo) > 0) return;
    this.counted = { read, upTo, unread: Math.max(0, unread - 1) };
  }

  /** This device has read up to a position; true when that is further than before. */
  readUpTo(position: string): boolean {
    if (comparePositions(position, this.own.read) <= 0) return false;
    this.wantedRead = position;
    return true;
  }

  /**
   * How many messages of others are unread. Counted here when everything above this user's mark is
   * held; otherwise the server's count, and from there on counted here. `above`: what is held above
   * a position. `now`: Unix milliseconds on the server.
   */
  unread(above: (position: string) => Above, now: number): number {
    const { read } = this.own;
    const countable = (m: Message): boolean => this.counts(m, now);
    const { messages, whole } = above(read);
    if (whole || this.counted === null) return messages.filter(countable).length;
    const { upTo, unread } = this.counted;
    const later = above(maxPosition(upTo, read)).messages.filter(countable).length;
    const since = above(this.counted.read).messages.filter(
      (m) => countable(m) && comparePositions(m.position, read) <= 0,
    ).length;
    return Math.max(0, unread - since) + later;
  }

  private counts(message: Message, now: number): boolean {
    const { senderId, content, deleted, expiresAt } = message;
    if (senderId === this.userId || content.kind === 'event' || deleted) return false;
    return expiresAt === undefined || Date.parse(expiresAt) > now;
  }
}
