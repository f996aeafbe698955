import type { RedisClient } from './client';
import { KEYS, TTL } from './keys';
import { rightGuess } from './scripts/right-guess.script';
import { takeGuess } from './scripts/take-guess.script';

/** How often something may happen: `burst` times at once, then once in `everyMs`. */
export interface GuessRate {
  burst: number;
  everyMs: number;
}

/** What the counts of an account go by. */
export interface GuessRates {
  /** Of a device, or of a network. */
  lane: GuessRate;
  /** Of all together who have not logged in to the account before. */
  strangers: GuessRate;
  /** How many networks of an account's last logins are no strangers. */
  knownNetworks: number;
}

/** Who tries a password. Ids as Redis keys take them. */
export interface Attempt {
  /** Stands for the account's name, whether there is such an account or not. */
  account: string;
  /** A device that was logged in to this very account before; null: none. */
  deviceId: string | null;
  /** Stands for the client's network. */
  network: string;
  /** The same when one guess comes again, by another instance: it counts once. Null: it counts each time. */
  guessId: string | null;
}

/** A guess that was counted. */
export interface TakenGuess extends Attempt {
  /** It was counted among the strangers', too. Of one that came again only its id tells. */
  stranger: boolean;
}

/**
 * Counts of password guesses per account. A guess is taken before the password is looked at, so that
 * many at once are counted. Two implementations pass the same tests: this one, shared by all, and a
 * process' own for while Redis is away.
 */
export interface GuessStore {
  /** Counts one, or tells how long to wait, in milliseconds. */
  take(attempt: Attempt): Promise<{ taken: TakenGuess } | { waitMs: number }>;
  /** The password was right: the lane is free, and the network no stranger any more. */
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

/** The name of the lane that an attempt is counted in. */
export function laneOf({ deviceId, network }: Pick<Attempt, 'deviceId' | 'network'>): string {
  return deviceId === null ? `n.${network}` : `d.${deviceId}`;
}
