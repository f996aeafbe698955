import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { BoundReason } from './slow-clients';

/** How fast somebody who is above a rate is told so. */
export const REFUSALS = {
  /** Somebody's requests that were all made at once are answered. */
  atOnce: 250,
  perSecond: 20,
  /** A refusal that would wait longer is not told: its connection is cut, milliseconds. */
  maxWaitMs: 10_000,
  /** Refusals that may wait, of everybody together. */
  maxWaiting: 2_000,
};
/** Users and addresses that are remembered; whoever is forgotten begins anew. */
const MAX_KEYS = 100_000;

/**
 * Lets whoever is above a rate wait for the refusal. A refusal costs a gateway nearly as much as a small
 * call: told at once, it would let those who do not listen ask thousands of times a second, and take
 * the time of everybody else. A token bucket per user, device or address (GCRA), whichever was counted: a
 * device that comes from sixteen addresses is told no more often than from one.
 */
export class RefusalPace {
  /** When each bucket is full again, monotonic milliseconds. */
  private readonly fullAt = new LRUCache<string, number>({ max: MAX_KEYS });
  private waits = 0;

  constructor(
    /** Takes each connection that was cut. */
    private readonly cut: (reason: BoundReason) => void = () => undefined,
    private readonly limits = REFUSALS,
    /** Monotonic milliseconds. */
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Refusals that wait to be told. */
  get waiting(): number {
    return this.waits;
  }

  /** Settles when `who` (a user id, a device id, an address) may be told. Cuts the connection of one too many. */
  async turn(who: string, request: Pick<IncomingMessage, 'socket'>): Promise<void> {
    const waitMs = this.take(who);
    if (waitMs === 0) return;
    if (waitMs === null) {
      this.cut('refused_often');
      request.socket.destroy();
      return;
    }
    this.waits += 1;
    await new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref());
    this.waits -= 1;
  }

  /** Milliseconds to wait; null: too long. */
  private take(who: string): number | null {
    const { atOnce, perSecond, maxWaitMs, maxWaiting } = this.limits;
    const everyMs = 1_000 / perSecond;
    const now = this.clock();
    const fullAt = Math.max(this.fullAt.get(who) ?? 0, now) + everyMs;
    const waitMs = Math.max(0, fullAt - now - atOnce * everyMs);
    if (waitMs > maxWaitMs || (waitMs > 0 && this.waits >= maxWaiting)) return null;
    this.fullAt.set(who, fullAt);
    return waitMs;
  }
}
