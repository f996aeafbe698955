/** How far back the window reaches, by the broker's record time, in milliseconds. */
export const WINDOW_MS = 120_000;
/** Most records that the window of one partition holds. */
export const WINDOW_RECORDS = 200_000;

/** The first record of an id. */
export interface SeenId {
  /** Idempotency key: conversation and message id. */
  readonly key: string;
  readonly position: bigint;
  readonly senderId: string;
  readonly contentHash: string;
  /** The broker's record time, Unix milliseconds. */
  readonly recordedAtMs: number;
  /** The window's own: the record that came into it after this one. */
  later: SeenId | null;
}

/**
 * The ids that were seen in the newest part of one partition: at most {@link WINDOW_RECORDS}
 * records that are at most {@link WINDOW_MS} older than the newest. First in, first out.
 */
export class RecentIds {
  private readonly ids = new Map<string, SeenId>();
  private oldest: SeenId | null = null;
  private newest: SeenId | null = null;
  private newestAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly windowMs = WINDOW_MS,
    private readonly windowRecords = WINDOW_RECORDS,
  ) {}

  /** How many ids are held. */
  get size(): number {
    return this.ids.size;
  }

  /** The first record under an idempotency key, when it is in the window. */
  get(key: string): SeenId | undefined {
    return this.ids.get(key);
  }

  /** Takes in the first record of an id, in log order, and forgets what has left the window. */
  add(seen: SeenId): void {
    if (this.ids.has(seen.key)) return;
    this.ids.set(seen.key, seen);
    if (this.newest) this.newest.later = seen;
    else this.oldest = seen;
    this.newest = seen;
    if (seen.recordedAtMs > this.newestAtMs) this.newestAtMs = seen.recordedAtMs;
    this.evict();
  }

  private evict(): void {
    const earliest = this.newestAtMs - this.windowMs;
    let id = this.oldest;
    while (id && (this.ids.size > this.windowRecords || id.recordedAtMs < earliest)) {
      this.ids.delete(id.key);
      id = id.later;
    }
    this.oldest = id;
    if (!id) this.newest = null;
  }
}
