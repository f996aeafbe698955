/** `pause(ms)`: resolves after this time. With `{ signal }` it rejects when that is aborted. */
export { setTimeout as pause } from 'node:timers/promises';

/** Bounds of a backoff, milliseconds. */
export interface Backoff {
  baseMs: number;
  maxMs: number;
}

/**
 * The longest wait after a number of failures (0, 1, …): `baseMs`, doubled with each, up to
 * `maxMs`.
 */
export function backoffCeiling({ baseMs, maxMs }: Backoff, failures: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
}

/** "Full jitter" (Brooker, AWS Architecture Blog 2015): a random wait below {@link backoffCeiling}. */
export function fullJitter(backoff: Backoff, failures: number, random = Math.random): number {
  return random() * backoffCeiling(backoff, failures);
}

/** Settles with the promise, or rejects after `ms` milliseconds. */
export function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
