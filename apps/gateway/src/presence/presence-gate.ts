import { LRUCache } from 'lru-cache';
import type { PresenceSight } from './presence-sight';

/** How long an answer of storage is used: a part of the 2 s within which a change holds. Milliseconds. */
const GRACE_MS = 1_000;
const MAX_PAIRS = 20_000;
/** Questions that may be under way; what more would ask is kept back. */
const MAX_ASKED = 500;

/** Why somebody was not shown a frame about another one's presence. */
export type KeptBack = 'privacy' | 'unavailable' | 'busy';

export interface PresenceGateParts {
  sight: Pick<PresenceSight, 'visible'>;
  keptBack(this: void, why: KeptBack): void;
  /** Monotonic milliseconds. */
  clock: () => number;
}

interface Known {
  at: number;
  visible: Promise<boolean>;
}

/**
 * Whether a frame that tells of one user's presence may be shown to another one, pair by pair. When
 * nobody can tell it is kept back: such frames are hints, and nobody waits for them.
 */
export class PresenceGate {
  private readonly known = new LRUCache<string, Known>({ max: MAX_PAIRS });
  private asked = 0;

  constructor(private readonly parts: PresenceGateParts) {}

  /** Never rejects. */
  async opens(viewerId: string, userId: string): Promise<boolean> {
    const key = viewerId + userId;
    const now = this.parts.clock();
    let known = this.known.get(key);
    if (!known || now - known.at > GRACE_MS) {
      if (this.asked >= MAX_ASKED) return this.keptBack('busy');
      known = { at: now, visible: this.ask(viewerId, userId) };
      this.known.set(key, known);
    }
    try {
      return (await known.visible) || this.keptBack('privacy');
    } catch {
      if (this.known.peek(key) === known) this.known.delete(key);
      return this.keptBack('unavailable');
    }
  }

  private async ask(viewerId: string, userId: string): Promise<boolean> {
    this.asked += 1;
    try {
      return (await this.parts.sight.visible(viewerId, [userId])).has(userId);
    } finally {
      this.asked -= 1;
    }
  }

  private keptBack(why: KeptBack): false {
    this.parts.keptBack(why);
    return false;
  }
}
