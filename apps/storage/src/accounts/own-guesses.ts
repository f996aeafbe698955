import {
  type Attempt,
  type GuessRates,
  type GuessStore,
  laneOf,
  type TakenGuess,
} from '@tidings/common/redis/guesses';
import { LRUCache } from 'lru-cache';
import { nextGuess } from './guess-rates';

const MAX_LANES = 50_000;

/** {@link GuessStore} of this process alone. Never throws. */
export class OwnGuesses implements GuessStore {
  private readonly lanes = new LRUCache<string, number>({ max: MAX_LANES });
  private readonly known = new LRUCache<string, true>({ max: MAX_LANES });
  /** By account and id of a guess that was counted: whether the strangers have not had it back. */
  private readonly taken = new LRUCache<string, boolean>({ max: MAX_LANES });

  constructor(
    private readonly rates: GuessRates,
    /** Monotonic milliseconds. */
    private readonly clock: () => number = () => performance.now(),
  ) {}

  take(attempt: Attempt): Promise<{ taken: TakenGuess } | { waitMs: number }> {
    const { account, deviceId, network, guessId } = attempt;
    const before = guessId === null ? undefined : this.taken.get(`${account} ${guessId}`);
    if (before !== undefined) return Promise.resolve({ taken: { ...attempt, stranger: before } });
    const stranger = deviceId === null && !this.known.has(`${account} ${network}`);
    const lane = this.next(`${account} ${laneOf(attempt)}`, this.rates.lane);
    const all = stranger ? this.next(strangersOf(account), this.rates.strangers) : null;
    const waitMs = Math.max(lane.waitMs, all?.waitMs ?? 0);
    if (waitMs > 0) return Promise.resolve({ waitMs });
    lane.keep();
    all?.keep();
    if (guessId !== null) this.taken.set(`${account} ${guessId}`, stranger);
    return Promise.resolve({ taken: { ...attempt, stranger } });
  }

  right(taken: TakenGuess): Promise<void> {
    const { account, network, guessId } = taken;
    const key = `${account} ${guessId}`;
    const stranger = guessId === null ? taken.stranger : this.taken.get(key) === true;
    if (stranger && guessId !== null) this.taken.set(key, false);
    this.lanes.delete(`${account} ${laneOf(taken)}`);
    const tat = this.lanes.get(strangersOf(account));
    if (stranger && tat !== undefined) {
      this.lanes.set(strangersOf(account), tat - this.rates.strangers.everyMs);
    }
    this.known.set(`${account} ${network}`, true);
    return Promise.resolve();
  }

  private next(name: string, rate: GuessRates['lane']): { waitMs: number; keep: () => void } {
    const now = this.clock();
    const { tat, waitMs } = nextGuess(this.lanes.get(name) ?? now, now, rate);
    return { waitMs, keep: () => void this.lanes.set(name, tat) };
  }
}

function strangersOf(account: string): string {
  return `${account} strangers`;
}
