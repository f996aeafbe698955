import { TidingsError } from '@tidings/protocol/errors';
import type { Rate, Rates, UserRateName } from '@tidings/protocol/limits';
import type {
  BucketOwner,
  Grant,
  RateBuckets,
  TokenOrder,
} from '@tidings/common/redis/rate-buckets';
import { Budget } from './budget';
import { OwnCounts } from './own-counts';

/** Tokens that a gateway takes from a shared bucket at a time. */
const LEASE = 10;
/** For how long a Redis that did not answer is not asked again, milliseconds. */
const AWAY_MS = 1_000;
/** Budgets that are as new are forgotten this often, milliseconds. */
const SWEEP_MS = 10_000;
const MINUTE_MS = 60_000;

/** Who does something. */
export interface Doer {
  userId: string;
  deviceId: string;
}

export interface UserRatesParts {
  buckets: Pick<RateBuckets, 'take'>;
  rates: Rates;
  /** Something was refused. */
  refused: (name: UserRateName) => void;
  /** Redis did not answer: this gateway counts for itself. */
  alone: () => void;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * The one place where rates of users and devices are kept, for frames and calls alike. The buckets
 * are in Redis; while it is away each gateway counts for itself. What comes with every message goes
 * by {@link Budget}s. Over g gateways a user may do (g − 1) × (own share + {@link LEASE}) more at once,
 * and (g − 1) × own share more per minute, of the rates that have an own share; of others nothing more.
 */
export class UserRates {
  private readonly budgets = new Map<UserRateName, Map<string, Budget>>();
  private readonly counts = new OwnCounts();
  private awayUntil = -Infinity;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: UserRatesParts) {}

  /**
   * Takes `cost` from a rate: 0, or the milliseconds until it can be had. A promise when Redis has to
   * be asked; it never rejects.
   */
  take(doer: Doer, name: UserRateName, cost = 1): number | Promise<number> {
    const rate = this.parts.rates[name];
    if (rate.perMinute === 0) return 0;
    const wait = rate.own
      ? this.budgetOf(doer, name, rate.own, rate).take()
      : this.takeShared(doer, name, rate, cost);
    return typeof wait === 'number' ? this.counted(name, wait) : this.settled(name, wait);
  }

  /** Takes from several rates, of all or of none. Throws `rate_limited`. */
  async require(doer: Doer, costs: readonly (readonly [UserRateName, number])[]): Promise<void> {
    const taken: [UserRateName, number][] = [];
    for (const [name, cost] of costs) {
      const wait = await this.take(doer, name, cost);
      if (wait > 0) {
        this.giveBack(doer, taken);
        throw rateLimited(wait);
      }
      taken.push([name, cost]);
    }
  }

  /** What was taken has not been used. Of rates with an own share nothing is given back. */
  giveBack(doer: Doer, costs: readonly (readonly [UserRateName, number])[]): void {
    for (const [name, cost] of costs) {
      const rate = this.parts.rates[name];
      if (rate.perMinute === 0 || rate.own) continue;
      void this.ask(doer, name, rate, { ...orderOf(rate), wanted: -cost, all: false });
    }
  }

  /** Begins to forget who does nothing any more. */
  start(): void {
    this.timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  /** Forgets budgets that are as new. */
  sweep(): void {
    for (const ofRate of this.budgets.values()) {
      for (const [key, budget] of ofRate) if (budget.isIdle()) ofRate.delete(key);
    }
  }

  /** Budgets in memory. */
  get size(): number {
    return [...this.budgets.values()].reduce((sum, ofRate) => sum + ofRate.size, 0);
  }

  private budgetOf(
    doer: Doer,
    name: UserRateName,
    own: NonNullable<Rate['own']>,
    rate: Rate,
  ): Budget {
    let ofRate = this.budgets.get(name);
    if (!ofRate) this.budgets.set(name, (ofRate = new Map<string, Budget>()));
    const key = rate.per === 'user' ? doer.userId : doer.deviceId;
    let budget = ofRate.get(key);
    if (!budget) {
      const { userId, deviceId } = doer;
      const order = orderOf(rate);
      const lease = Math.min(LEASE, order.burst);
      const shape = {
        own: { perSecond: own.perMinute / 60, burst: own.burst },
        msPerToken: order.msPerToken,
        lease,
      };
      const ask = (wanted: number): Promise<Grant> =>
        this.ask({ userId, deviceId }, name, rate, { ...order, wanted, all: false });
      budget = new Budget(shape, ask, this.parts.clock);
      ofRate.set(key, budget);
    }
    return budget;
  }

  private async takeShared(
    doer: Doer,
    name: UserRateName,
    rate: Rate,
    cost: number,
  ): Promise<number> {
    const order = orderOf(rate);
    // More than there can ever be is had when all is there.
    const wanted = Math.min(cost, order.burst);
    const { waitMs } = await this.ask(doer, name, rate, { ...order, wanted, all: true });
    return Math.ceil(waitMs);
  }

  private async ask(doer: Doer, name: UserRateName, rate: Rate, order: TokenOrder): Promise<Grant> {
    const { buckets, clock, alone } = this.parts;
    const { userId } = doer;
    const owner: BucketOwner = { userId, deviceId: rate.per === 'device' ? doer.deviceId : null };
    const key = `${name} ${userId} ${owner.deviceId ?? ''}`;
    if (clock() >= this.awayUntil) {
      try {
        // No timer of its own: in a busy process it would run out before the answer is read.
        const grant = await buckets.take(owner, name, order);
        this.counts.told(key, grant, clock());
        return grant;
      } catch {
        this.awayUntil = clock() + AWAY_MS;
      }
    }
    alone();
    return this.counts.take(key, order, clock());
  }

  private async settled(name: UserRateName, wait: Promise<number>): Promise<number> {
    return this.counted(name, await wait);
  }

  private counted(name: UserRateName, waitMs: number): number {
    if (waitMs > 0) this.parts.refused(name);
    return waitMs;
  }
}

/** The refusal of what is done too often. */
export function rateLimited(retryAfterMs: number): TidingsError {
  return new TidingsError('rate_limited', { retryAfterMs });
}

/** The bucket that gateways share: what they do not give by themselves. */
function orderOf({ perMinute, burst, own }: Rate): { msPerToken: number; burst: number } {
  const shared = { perMinute: perMinute - (own?.perMinute ?? 0), burst: burst - (own?.burst ?? 0) };
  return { msPerToken: MINUTE_MS / shared.perMinute, burst: shared.burst };
}
