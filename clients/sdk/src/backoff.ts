import type { Random } from './clock';

/** Bounds of a backoff, in milliseconds. */
export interface BackoffBounds {
  baseMs: number;
  maxMs: number;
}

/**
 * "Full jitter" (Brooker, AWS Architecture Blog 2015): a random delay below a ceiling that starts
 * at `baseMs` and doubles with every failed attempt (0, 1, …) up to `maxMs`.
 */
export function fullJitter(attempt: number, bounds: BackoffBounds, random: Random): number {
  const ceiling = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(attempt, 30));
  return random() * ceiling;
}
