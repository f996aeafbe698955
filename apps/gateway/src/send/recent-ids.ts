import { IdWindow } from '@tidings/common/collections/id-window';

/** A message id that is on its way to the log. */
export interface RecentId<W> {
  senderId: string;
  contentHash: string;
  /** Unix milliseconds that the record carries. */
  sentAtMs: number;
  /** When its life ends, Unix milliseconds; null: never. */
  expiresAtMs: number | null;
  /** Who waits for the position beside the first sender; null when nobody does. */
  waiters: W[] | null;
}

/** An id whose first append is known. */
export interface KnownId {
  /** Whether sender and content are those of the first append. */
  same: boolean;
  position: string;
  /** Unix milliseconds. */
  sentAtMs: number;
  /** When its life ends, Unix milliseconds; null: never. */
  expiresAtMs: number | null;
}

/** How long an appended id is remembered, unless there are too many, in milliseconds. */
const KEEP_MS = 120_000;
/** Most appended ids: about 20 MB. */
const MAX_IDS = 200_000;

/**
 * The message ids taken lately, so that a second send of the same id joins the first one: those on
 * their way with whoever waits for them, and for a while those that were appended.
 */
export class RecentIds<W> {
  private readonly onWay = new Map<string, RecentId<W>>();
  private readonly appended: IdWindow;

  constructor(limits: { keepMs: number; maxIds: number } = { keepMs: KEEP_MS, maxIds: MAX_IDS }) {
    this.appended = new IdWindow({ windowMs: limits.keepMs, records: limits.maxIds });
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.onWay.size + this.appended.size;
  }

  /** The id's send that is on its way. */
  get(conversationId: string, messageId: string): RecentId<W> | undefined {
    return this.onWay.get(messageId + conversationId);
  }

  /**
   * What is known of an id that was appended, seen from a sender and a content, at a time in Unix
   * milliseconds: of what has expired only the sender counts.
   */
  known(
    conversationId: string,
    messageId: string,
    { senderId, contentHash }: Pick<RecentId<W>, 'senderId' | 'contentHash'>,
    nowMs: number,
  ): KnownId | undefined {
    const { appended } = this;
    const slot = appended.find(conversationId, messageId);
    if (slot < 0) return undefined;
    return {
      same: appended.isSame(slot, { author: senderId, hash: contentHash }, nowMs),
      position: String(appended.position(slot)),
      sentAtMs: appended.tag(slot),
      expiresAtMs: appended.endsAtMs(slot),
    };
  }

  /** Remembers an id that is about to be appended. */
  add(conversationId: string, messageId: string, id: Omit<RecentId<W>, 'waiters'>): RecentId<W> {
    const entry: RecentId<W> = { ...id, waiters: null };
    this.onWay.set(messageId + conversationId, entry);
    return entry;
  }

  /** The first append of an id is known; `now`: monotonic milliseconds. */
  settle(
    conversationId: string,
    messageId: string,
    entry: RecentId<W>,
    { position, now }: { position: string; now: number },
  ): void {
    this.forget(conversationId, messageId, entry);
    this.appended.add(conversationId, messageId, {
      author: entry.senderId,
      hash: entry.contentHash,
      position: BigInt(position),
      atMs: now,
      tag: entry.sentAtMs,
      endsAtMs: entry.expiresAtMs,
    });
  }

  /**
   * Forgets a send that did not get there, whose first append another sender made, or of which nobody
   * can say what became of it.
   */
  forget(conversationId: string, messageId: string, entry: RecentId<W>): void {
    const key = messageId + conversationId;
    if (this.onWay.get(key) === entry) this.onWay.delete(key);
  }
}
