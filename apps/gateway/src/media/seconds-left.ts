/**
 * How many whole seconds something may be kept or used: at most so many, and not beyond the end of what
 * it shows (ISO 8601; undefined: it has none).
 */
export function secondsLeft(most: number, expiresAt: string | undefined, nowMs: number): number {
  if (expiresAt === undefined) return most;
  return Math.max(0, Math.min(most, Math.floor((Date.parse(expiresAt) - nowMs) / 1000)));
}
