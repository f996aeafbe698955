import type { ErrorFrame } from '@tidings/protocol/frames';
import type { Presence } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { WatchFrame } from '@tidings/protocol/presence';
import type { Cancel, Clock } from './clock';
import { InvalidCallError } from './errors';

/** Lists that follow each other sooner than this are joined, in milliseconds. */
const JOIN_MS = 1_000;
/** A server without `watch` is polled this often, in milliseconds. */
export const ASK_MS = 60_000;
/** After a refusal without a time, the list is sent again after this delay, in milliseconds. */
const AGAIN_MS = 5_000;

export interface PresenceDeps {
  clock: Clock;
  /** `GET /v1/presence`. */
  ask(userIds: readonly string[]): Promise<{ items: Presence[] }>;
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
  emit(name: 'presence', event: Presence): void;
  /** A list was refused for good. */
  refused(detail: string): void;
}

/**
 * The users whose presence the application shows. The list is sent on every new connection; a
 * server without `watch` is polled once a minute. Of two reports about a user the one with the
 * higher version counts, whichever way it came.
 */
export class WatchedPresence {
  private list = new Set<string>();
  private readonly known = new Map<string, Presence>();
  /** How presence arrives over the connection in use; null: not connected. */
  private means: 'watch' | 'ask' | null = null;
  private max: number = LIMITS.watch;
  private said = 0;
  private timer: Cancel | null = null;
  private saidAt = -Infinity;

  constructor(private readonly deps: PresenceDeps) {}

  /** Connected. `features` says whether the server takes such frames. */
  connected(features: readonly string[], max: number | undefined): void {
    this.means = features.includes('presence') ? 'watch' : 'ask';
    if (max !== undefined) this.max = max;
    this.saidAt = -Infinity;
    if (this.list.size > 0) this.sayIn(0);
  }

  /** The connection is lost: what was known stays known. */
  disconnected(): void {
    this.means = null;
    this.cancel();
  }

  /**
   * Shows these users from now on, replacing the previous list.
   *
   * @throws InvalidCallError when there are more than the server takes
   */
  watch(userIds: readonly string[]): void {
    const wanted = new Set(userIds);
    if (wanted.size > this.max) {
      const rule = `at most ${this.max} users`;
      throw new InvalidCallError('watch', [{ path: 'userIds', rule }]);
    }
    const same = wanted.size === this.list.size && [...wanted].every((id) => this.list.has(id));
    if (same) return;
    this.list = wanted;
    for (const userId of this.known.keys()) if (!wanted.has(userId)) this.known.delete(userId);
    if (this.means === null) return;
    this.sayIn(Math.max(0, this.saidAt + JOIN_MS - this.deps.clock.now()));
  }

  /** The known presence of a watched user; undefined: none yet. */
  of(userId: string): Presence | undefined {
    return this.known.get(userId);
  }

  /** A user's presence, from a frame or an answer. */
  take({ userId, status, lastSeenAt, activeAt, version }: Presence): void {
    if (!this.list.has(userId)) return;
    const before = this.known.get(userId);
    // a server without `watch` may have no versions: its last answer counts
    const isOlder = before && this.means === 'watch' && version <= before.version;
    if (isOlder) return;
    const word: Presence = { userId, status, lastSeenAt, activeAt, version };
    this.known.set(userId, word);
    if (!before || looksOther(before, word)) this.deps.emit('presence', word);
  }

  /**
   * Handles a refused list, which is sent again if that makes sense. False: it is about something
   * else.
   */
  refused({ ref, code, detail, retryable, retryAfterMs }: ErrorFrame): boolean {
    if (ref === undefined || !ref.startsWith(REF)) return false;
    const isLast = ref === REF + this.said && this.means === 'watch';
    if (!retryable) this.deps.refused(`${code}: ${detail}`);
    else if (isLast) this.sayIn(retryAfterMs ?? AGAIN_MS);
    return true;
  }

  private sayIn(ms: number): void {
    this.cancel();
    if (ms > 0) this.timer = this.deps.clock.after(ms, () => this.say());
    else this.say();
  }

  private say(): void {
    this.timer = null;
    this.saidAt = this.deps.clock.now();
    this.said += 1;
    const userIds = [...this.list];
    if (this.means === 'watch') {
      const frame: WatchFrame = { type: 'watch', ref: REF + this.said, userIds };
      this.deps.send(JSON.stringify(frame));
    } else {
      void this.ask(userIds);
      if (userIds.length > 0) this.sayIn(ASK_MS);
    }
  }

  /** What fails now is requested the next time. */
  private async ask(userIds: readonly string[]): Promise<void> {
    const { said } = this;
    for (let i = 0; i < userIds.length; i += LIMITS.pageItems) {
      try {
        const { items } = await this.deps.ask(userIds.slice(i, i + LIMITS.pageItems));
        if (said !== this.said || this.means !== 'ask') return;
        for (const item of items) this.take(item);
      } catch {
        return;
      }
    }
  }

  private cancel(): void {
    this.timer?.();
    this.timer = null;
  }
}

/** Tells apart refusals of lists and those of other frames. */
const REF = 'watch-';

function looksOther(a: Presence, b: Presence): boolean {
  return a.status !== b.status || a.lastSeenAt !== b.lastSeenAt || a.activeAt !== b.activeAt;
}
