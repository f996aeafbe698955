import { z } from 'zod';

/** The largest position, 2^63 - 1, as text. */
export const MAX_POSITION = '9223372036854775807';

/**
 * A position is `epochBase[partition] + Kafka offset`: a bigint, strictly increasing within a
 * conversation but with gaps, carried as a decimal string without sign or leading zeros.
 */
export const position = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,18})$/, 'a position is a decimal string')
  // compared as text: zod also runs this check on values that the pattern has refused
  .refine((p) => comparePositions(p, MAX_POSITION) <= 0, 'a position is at most 2^63-1');

/** Compares two positions (decimal strings): negative, 0 or positive. */
export function comparePositions(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The larger of two positions. */
export function maxPosition(a: string, b: string): string {
  return comparePositions(a, b) >= 0 ? a : b;
}
