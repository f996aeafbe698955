import type { GuessRate, GuessRates } from '@tidings/common/redis/guesses';

/**
 * Wrong passwords of an account. Each device and each network has a lane; those that have not logged
 * in to the account before share one more, which bounds what many networks do together: at most 80 in
 * an hour (OWASP ASVS 2.2.1 wants 100 or fewer).
 */
export const GUESS_RATES: GuessRates = {
  lane: { burst: 10, everyMs: 60_000 },
  strangers: { burst: 20, everyMs: 60_000 },
  knownNetworks: 16,
};

/**
 * The generic cell rate algorithm (ITU-T I.371): `tat` is when the next one would come at an even rate.
 * Its new value, and how long to wait: above 0 it is refused. Milliseconds.
 */
export function nextGuess(
  tat: number,
  now: number,
  { burst, everyMs }: GuessRate,
): { tat: number; waitMs: number } {
  const next = Math.max(tat, now) + everyMs;
  return { tat: next, waitMs: next - burst * everyMs - now };
}
