/** One message id that this gateway has taken: on its way to the log, or appended. */
export interface RecentId<W> {
  senderId: string;
  contentHash: string;
  /** Unix milliseconds that the record carries. */
  sentAtMs: number;
  /** When the message's life ends, Unix milliseconds; null: never. */
  expiresAtMs: number | null;
  /** Position of the first append; null while it is not known. */
  position: string | null;
  /** Who waits for the position beside the first sender; null when nobody does. */
  waiters: W[] | null;
  /** It may be in the log, but nobody could say where: to be judged like an unknown id. */
  doubtful: boolean;
}

/** How long an appended id is remembered at least, unless there are too many, in milliseconds. */
const KEEP_MS = 120_000;
/** Ids per generation; two generations are kept. */
const MOST_IDS = 100_000;

/**
 * The message ids taken lately, so that a second send of the same id joins the first one. Two
 * generations of a map instead of a list by age: nothing is touched per message but one map, and
 * forgetting is dropping the older map. Ids still on their way move on to the younger one.
 */
export class RecentIds<W> {
  private young = new Map<string, RecentId<W>>();
  private old = new Map<string, RecentId<W>>();
  private youngSince: number;

  constructor(
    now: number,
    private readonly limits: { keepMs: number; mostIds: number } = {
      keepMs: KEEP_MS,
      mostIds: MOST_IDS,
    },
  ) {
    this.youngSince = now;
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  get(conversationId: string, messageId: string): RecentId<W> | undefined {
    const key = messageId + conversationId;
    return this.young.get(key) ?? this.old.get(key);
  }

  /** Remembers an id that is about to be appended; `now`: monotonic milliseconds. */
  add(
    conversationId: string,
    messageId: string,
    id: Omit<RecentId<W>, 'position' | 'waiters' | 'doubtful'>,
    now: number,
  ): RecentId<W> {
    const { keepMs, mostIds } = this.limits;
    if (now - this.youngSince >= keepMs || this.young.size >= mostIds) this.turn(now);
    const entry: RecentId<W> = { ...id, position: null, waiters: null, doubtful: false };
    this.young.set(messageId + conversationId, entry);
    return entry;
  }

  /** Forgets an id that was not appended after all, or whose first append another sender made. */
  forget(conversationId: string, messageId: string): void {
    const key = messageId + conversationId;
    this.young.delete(key);
    this.old.delete(key);
  }

  private turn(now: number): void {
    const forgotten = this.old;
    this.old = this.young;
    this.young = new Map();
    this.youngSince = now;
    for (const [key, entry] of forgotten) {
      if (entry.position === null && !entry.doubtful) this.young.set(key, entry);
    }
  }
}
