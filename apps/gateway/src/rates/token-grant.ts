import type { Grant, TokenOrder } from '@tidings/common/redis/rate-buckets';

/** Tokens lost to rounding count as there. */
const ROUNDING = 0.001;

/**
 * The generic cell rate algorithm (ITU-T I.371) on one number: when the bucket is full again, here
 * and below in monotonic milliseconds. What Redis' script does, for the time without Redis.
 */
export function grantTokens(
  fullAt: number,
  now: number,
  { msPerToken, burst, wanted, all }: TokenOrder,
): Grant {
  const full = Math.max(fullAt, now);
  const there = Math.floor(burst - (full - now) / msPerToken + ROUNDING);
  const taken = Math.min(wanted, Math.max(there, 0));
  const enough = wanted <= 0 || (all ? taken === wanted : taken > 0);
  if (enough) {
    return { taken, fullInMs: Math.max(full + taken * msPerToken - now, 0), waitMs: 0 };
  }
  const least = all ? wanted : 1;
  const waitMs = Math.max(full - now + (least - burst) * msPerToken, 1);
  return { taken: 0, fullInMs: full - now, waitMs };
}
