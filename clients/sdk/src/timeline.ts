import type { Message } from '@tidings/protocol/content';
import { comparePositions } from '@tidings/protocol/positions';

/** The effect of merging a message: first seen, a new place or version, or nothing. */
export type MergeResult = 'new' | 'changed' | 'same';

/**
 * Messages of one conversation, each id once, ordered by position. A lower position replaces a
 * higher one (the first append wins). The highest version of the content wins; a deletion is final.
 */
export class Timeline {
  private ordered: Message[] = [];
  private readonly byId = new Map<string, Message>();
  /** Ids that are known only from a change. */
  private readonly changesOnly = new Set<string>();
  /**
   * This user's messages of which only the place is known, not what the server added (`expiresAt`).
   */
  private readonly placesOnly = new Set<string>();

  /** The message with this id, as it is now. */
  get(messageId: string): Message | undefined {
    return this.byId.get(messageId);
  }

  /** Whether only a change of this message came, not the message itself. */
  onlyChange(messageId: string): boolean {
    return this.changesOnly.has(messageId);
  }

  /** Takes a message. `isChange`: it came as a change of itself. */
  merge(message: Message, isChange: boolean): MergeResult {
    const held = this.byId.get(message.messageId);
    if (!held) {
      this.insert(message);
      if (isChange) this.changesOnly.add(message.messageId);
      return 'new';
    }
    if (!isChange) this.changesOnly.delete(message.messageId);
    const placeOnly = this.placesOnly.delete(message.messageId);
    const merged = placeOnly ? atFirstPlace(message, held) : mergeCopies(held, message);
    if (merged === held) return 'same';
    this.take(held);
    this.insert(merged);
    return isAlike(merged, held) ? 'same' : 'changed';
  }

  /** Takes one of this user's messages at the place that the server has given it. */
  confirm(message: Message): MergeResult {
    const held = this.byId.get(message.messageId);
    const placeOnly = !held || this.placesOnly.has(message.messageId);
    const result = this.merge(held ? atFirstPlace(held, message) : message, false);
    if (placeOnly) this.placesOnly.add(message.messageId);
    return result;
  }

  /** The messages at and above a position. */
  from(position: string): Message[] {
    return this.ordered.slice(this.indexOf(position));
  }

  /** Drops one message. */
  remove(messageId: string): void {
    const held = this.byId.get(messageId);
    if (held) this.take(held);
    this.changesOnly.delete(messageId);
    this.placesOnly.delete(messageId);
  }

  /** Drops every message at or below a position. */
  forgetUpTo(position: string): void {
    const dropped = this.ordered.filter((m) => comparePositions(m.position, position) <= 0);
    for (const message of dropped) {
      this.byId.delete(message.messageId);
      this.changesOnly.delete(message.messageId);
      this.placesOnly.delete(message.messageId);
    }
    this.ordered = this.ordered.slice(dropped.length);
  }

  /** Drops every message at or below a position except these. */
  keepOnly(ids: ReadonlySet<string>, position: string): void {
    for (const { messageId, position: at } of [...this.ordered]) {
      if (comparePositions(at, position) > 0) return;
      if (!ids.has(messageId)) this.remove(messageId);
    }
  }

  private take(held: Message): void {
    this.byId.delete(held.messageId);
    this.ordered.splice(this.ordered.indexOf(held, this.indexOf(held.position)), 1);
  }

  private insert(message: Message): void {
    this.byId.set(message.messageId, message);
    const last = this.ordered.at(-1);
    if (!last || comparePositions(last.position, message.position) <= 0) {
      this.ordered.push(message);
    } else {
      this.ordered.splice(this.indexOf(message.position), 0, message);
    }
  }

  /** Index of the first message at or above a position. */
  private indexOf(position: string): number {
    let low = 0;
    let high = this.ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePositions(this.ordered[middle]!.position, position) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * The first append decides who sent what and when; the newest state decides what it is now. Returns
 * `held` itself when nothing changes.
 */
function mergeCopies(held: Message, next: Message): Message {
  const place = comparePositions(next.position, held.position);
  if (place === 0) {
    if (isNewer(next, held)) return next;
    // What `sent` said of this user's message had no expiry yet; it is the same append.
    const { expiresAt, version } = next;
    const lacks = held.expiresAt === undefined && held.version === version;
    return lacks && expiresAt !== undefined ? { ...held, expiresAt } : held;
  }
  const first = place < 0 ? next : held;
  const second = place < 0 ? held : next;
  if (!isNewer(second, first)) return first;
  return { ...second, position: first.position, sentAt: first.sentAt };
}

/** `copy` at the lower of both places. */
function atFirstPlace(copy: Message, other: Message): Message {
  if (comparePositions(copy.position, other.position) <= 0) return copy;
  return { ...copy, position: other.position, sentAt: other.sentAt };
}

/** Whether two states of a message are indistinguishable. */
function isAlike(one: Message, other: Message): boolean {
  return (
    one.position === other.position &&
    one.version === other.version &&
    one.expiresAt === other.expiresAt
  );
}

/** The highest version is the newest. A deletion is final, though, and the first one counts. */
function isNewer(one: Message, other: Message): boolean {
  const deleted = one.deleted === true;
  if (deleted !== (other.deleted === true)) return deleted;
  const order = comparePositions(one.version, other.version);
  return deleted ? order < 0 : order > 0;
}
