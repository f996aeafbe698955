import type { AddressHits, Hits } from '@tidings/common/redis/address-hits';
import { LRUCache } from 'lru-cache';

const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 100_000;
/** For how long a Redis that did not answer is not asked again, milliseconds. */
const AWAY_MS = 1_000;

/** The rates that count for an address. */
export type AddressRateName = 'request' | 'auth';

interface Window {
  hits: number;
  endsAt: number;
}

/** Calls per minute; 0: no limit. */
export class AddressLimits {
  constructor(
    readonly request: number,
    readonly auth: number,
  ) {}
}

export interface AddressWindowsParts {
  shared: Pick<AddressHits, 'count'>;
  /** Redis did not answer: this gateway counts for itself. */
  alone: () => void;
  /** Something was refused. */
  refused: (rate: AddressRateName) => void;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * What comes from an address, in windows of a minute: the gateways count together in Redis, each for
 * itself while that is away. What comes from a device, whose token is good, is counted here alone: its
 * calls have rates of their own, which are shared.
 */
export class AddressWindows {
  private readonly own = new LRUCache<string, Window>({ max: MAX_ADDRESSES });
  private awayUntil = -Infinity;

  constructor(private readonly parts: AddressWindowsParts) {}

  /**
   * Counts a call from a network; `add` 0: only looks. Above `limit` Redis is not asked: a flood costs it
   * no more than what is let through.
   */
  async ofAddress(name: string, network: string, limit: number, add = 1): Promise<Hits> {
    const { shared, clock, alone } = this.parts;
    const key = `${name} address ${network}`;
    const own = this.count(key, add);
    if (own.hits > limit) return own;
    if (clock() >= this.awayUntil) {
      try {
        const hits = await shared.count(name, network, add, WINDOW_MS);
        if (hits.hits > 0) this.own.set(key, { hits: hits.hits, endsAt: clock() + hits.leftMs });
        return hits;
      } catch {
        this.awayUntil = clock() + AWAY_MS;
      }
    }
    alone();
    return own;
  }

  /** Counts a call of a device. */
  ofDevice(name: string, deviceId: string): Hits {
    return this.count(`${name} device ${deviceId}`, 1);
  }

  /** Counts what comes from a network to this gateway alone. */
  ofAddressHere(name: string, network: string): Hits {
    return this.count(`${name} address ${network}`, 1);
  }

  /** What this gateway knows of a network, as of the last hit that it counted: Redis is not asked. */
  known(name: string, network: string): Hits {
    return this.count(`${name} address ${network}`, 0);
  }

  /** Notes that somebody was refused. */
  refused(rate: AddressRateName): void {
    this.parts.refused(rate);
  }

  private count(key: string, add: number): Hits {
    const now = this.parts.clock();
    let window = this.own.get(key);
    if (!window || window.endsAt <= now) {
      window = { hits: 0, endsAt: now + WINDOW_MS };
      if (add > 0) this.own.set(key, window);
    }
    window.hits += add;
    return { hits: window.hits, leftMs: window.endsAt - now };
  }
}
