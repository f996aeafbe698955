import { IdWindow, type IdRun } from '@tidings/common/collections/id-window';
import { NO_CONTENT_HASH } from '@tidings/common/log-events/events';
import { authorOf, fingerprint, type ChangeEntry, type LogEntry } from './entry';

/** How far back the window reaches, by the broker's record time, in milliseconds. */
export const WINDOW_MS = 120_000;
/** Most records that the window of one partition holds. */
export const WINDOW_RECORDS = 200_000;

/** Under which id a record is remembered. */
export interface SeenKey {
  /** Conversation, and what of it the id names. */
  scope: string;
  /** UUID. */
  id: string;
}

/** The idempotency key of a record: changes have ids of their own. */
export function keyOf({ kind, event }: LogEntry): SeenKey {
  if (kind === 'change') return { scope: `${event.conversationId}:`, id: event.changeId };
  return { scope: event.conversationId, id: event.messageId };
}

/** The key under which the window remembers that a message is deleted. */
export function deletionKeyOf({ event }: ChangeEntry): SeenKey {
  return { scope: `${event.conversationId}!`, id: event.messageId };
}

/**
 * The ids that were seen in the newest part of one partition: at most {@link WINDOW_RECORDS}
 * records that are at most {@link WINDOW_MS} older than the newest. First in, first out.
 */
export class RecentIds {
  private readonly window: IdWindow;

  constructor(windowMs = WINDOW_MS, windowRecords = WINDOW_RECORDS) {
    this.window = new IdWindow({ windowMs, records: windowRecords });
  }

  /** How many ids are held. */
  get size(): number {
    return this.window.size;
  }

  /** Whether a record comes behind another one of its key; `same`: with the same author and content. */
  before({ scope, id }: SeenKey, entry: LogEntry): { same: boolean } | undefined {
    const slot = this.window.find(scope, id);
    if (slot < 0 || this.window.position(slot) >= entry.position) return undefined;
    const [author, hash] = [authorOf(entry), fingerprint(entry)];
    const same = (other: string, nowMs?: number) =>
      this.window.isSame(slot, { author, hash: other }, nowMs);
    if (hash === NO_CONTENT_HASH) return { same: same(hash, Infinity) };
    return { same: same(hash) || same(NO_CONTENT_HASH) };
  }

  /** Takes in the first record of a key, in log order, and forgets what has left the window. */
  add({ scope, id }: SeenKey, entry: LogEntry): void {
    this.window.add(scope, id, {
      author: authorOf(entry),
      hash: fingerprint(entry),
      position: entry.position,
      atMs: entry.recordedAtMs,
    });
  }

  /** What is held of positions [from, to). */
  run(from: bigint, to: bigint): IdRun {
    return this.window.run(from, to);
  }

  /** Takes in what another process has held, as if it had been read from the log here. */
  addRun(run: IdRun): void {
    this.window.addRun(run);
  }
}

/** The conversation of a {@link SeenKey}'s scope. */
export function conversationOf(scope: string): string {
  return scope.endsWith(':') || scope.endsWith('!') ? scope.slice(0, -1) : scope;
}
