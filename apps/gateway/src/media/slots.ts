import { TidingsError } from '@tidings/protocol/errors';

const RETRY_MS = 2_000;

/** How many slots there are, and how many of them one user and one address may hold. */
export interface SlotLimits {
  all: number;
  perUser: number;
  /** Left out: no limit. */
  perAddress?: number;
}

/** Who takes a slot. */
export interface Holder {
  userId: string;
  /** What counts as one address, `clientNetwork`; left out: not known, or shared by many. */
  network?: string | undefined;
}

/** A place that is held. */
export interface Slot {
  /** Gives it back; doing so again does nothing. */
  free(): void;
  /**
   * Makes the slot one that can be taken away while it is slower than allowed: `slow` tells so, and
   * `cut` ends what holds it. Null: no longer.
   */
  yielding(how: { slow: () => boolean; cut: () => void } | null): void;
}

interface Held extends Holder {
  yields: { slow: () => boolean; cut: () => void } | null;
}

/**
 * Bounds how many transfers run here at a time: in all, per user and per address. When all places are
 * taken, one that is held by a transfer slower than allowed goes to whoever asks: nobody keeps others
 * out by sending next to nothing.
 */
export class Slots {
  /** Transfers that were cut for somebody else. */
  taken = 0;
  private readonly held = new Set<Held>();

  constructor(
    private readonly what: string,
    private readonly limits: SlotLimits,
  ) {}

  /** Takes a slot. Throws `busy` when there is none. */
  take({ userId, network }: Holder): Slot {
    const { all, perUser, perAddress = Infinity } = this.limits;
    const ofUser = this.count((one) => one.userId === userId);
    const sameAddress = (one: Held): boolean => network !== undefined && one.network === network;
    if (
      ofUser >= perUser ||
      (this.count(sameAddress) >= perAddress && !this.takeAway(sameAddress)) ||
      (this.held.size >= all && !this.takeAway(() => true))
    ) {
      const detail = `Too many ${this.what} run at the moment`;
      throw new TidingsError('busy', { detail, retryAfterMs: RETRY_MS });
    }
    const mine: Held = { userId, network, yields: null };
    this.held.add(mine);
    return {
      free: () => void this.held.delete(mine),
      yielding: (how) => void (mine.yields = how),
    };
  }

  /** Slots that are taken. */
  get size(): number {
    return this.held.size;
  }

  private count(matches: (one: Held) => boolean): number {
    let count = 0;
    for (const one of this.held) if (matches(one)) count += 1;
    return count;
  }

  /** Frees the slot of the oldest slow transfer among these; false when none is slow. */
  private takeAway(among: (one: Held) => boolean): boolean {
    for (const one of this.held) {
      if (!among(one) || !one.yields?.slow()) continue;
      this.held.delete(one);
      this.taken += 1;
      one.yields.cut();
      return true;
    }
    return false;
  }
}
