/**
 * How long gateways may take to tell all that they know anew: two lease times. Before, a part of it
 * would look like the whole. Milliseconds.
 */
export const SETTLES_MS = 12_000;

/** Since when time alone may end somebody's presence, Unix milliseconds. */
export interface Patience {
  /** Nobody is told to be away before: what is known may be a part. */
  offlineFromMs: number;
  /** Nobody who is awaited is given up before. */
  lossesFromMs: number;
}
