import type { RedisClient } from './client';
import { KEYS, TTL } from './keys';
import { rightGuess } from './scripts/right-guess.script';
import { takeGuess } from './scripts/take-guess.script';

/** How often something may happen: `burst` times at once, then once every `everyMs`. */
export interface GuessRate {
  burst: number;
  everyMs: number;
}

/** The rates of an account. */
export interface GuessRates {
  /** For a device, or a network. */
  lane: GuessRate;
  /** For everybody together who has not logged in to the account before. */
  strangers: GuessRate;
  /** How many networks of an account's latest logins do not count as strangers. */
  knownNetworks: number;
}

/** Who tries a password. Ids in the form that Redis keys take. */
export interface Attempt {
  /** Stands for the account's name, whether the account exists or not. */
  account: string;
  /** A device that was logged in to this very account before; null: none. */
  deviceId: string | null;
  /** Stands for the client's network. */
  network: string;
  /**
   * Stays the same when another instance repeats a guess, which then counts once. Null: it counts
   * each time.
   */
  guessId: string | null;
}

/** A guess that was counted. */
export interface TakenGuess extends Attempt {
  /** It was also counted for the strangers. For a repeated guess only its id tells. */
  stranger: boolean;
}

/**
 * Counts password guesses per account. A guess is counted before the password is checked, so that
 * many at once all count. Two implementations pass the same tests: this one, shared by all, and one
 * inside each process for when Redis is down.
 */
export interface GuessStore {
  /** Counts a guess, or returns how long to wait, in milliseconds. */
  take(attempt: Attempt): Promise<{ taken: TakenGuess } | { waitMs: number }>;
  /** The password was right: the lane is empty again, and the network is no longer a stranger. */
  right(taken: TakenGuess): Promise<void>;
}

/** {@link GuessStore} in Redis. Throws `RedisUnavailable`. */
export class SharedGuesses implements GuessStore {
  constructor(
    private readonly client: RedisClient,
    private readonly rates: GuessRates,
  ) {}

  async take(attempt: Attempt): Promise<{ taken: TakenGuess } | { waitMs: number }> {
    const { lane, strangers } = this.rates;
    const network = attempt.deviceId === null ? attempt.network : null;
    const takenMs = TTL.guessTaken * 1000;
    const guess = { network, lane, strangers, takenMs };
    const outcome = await takeGuess(this.client, keysOf(attempt), guess);
    if (outcome.waitMs > 0) return { waitMs: outcome.waitMs };
    return { taken: { ...attempt, stranger: outcome.stranger } };
  }

  async right(taken: TakenGuess): Promise<void> {
    await rightGuess(this.client, keysOf(taken), {
      network: taken.network,
      stranger: taken.stranger,
      strangersEveryMs: this.rates.strangers.everyMs,
      most: this.rates.knownNetworks,
      ttlMs: TTL.knownNetworks * 1000,
    });
  }
}

function keysOf({ account, deviceId, network, guessId }: Attempt) {
  return {
    taken: guessId === null ? null : KEYS.guessTaken(account, guessId),
    known: KEYS.knownNetworks(account),
    lane: KEYS.guesses(account, laneOf({ deviceId, network })),
    strangers: KEYS.guesses(account, 'strangers'),
  };
}

/** The name of the lane in which an attempt is counted. */
export function laneOf({ deviceId, network }: Pick<Attempt, 'deviceId' | 'network'>): string {
  return deviceId === null ? `n.${network}` : `d.${deviceId}`;
}
