import { type Random, randomBelow } from '../random';

/** What is sent when: one entry per message, times in milliseconds from the start, rising. */
export interface Arrivals {
  atMs: Float64Array<SharedArrayBuffer>;
  /** index of the sending device */
  sender: Int32Array;
}

/**
 * Poisson arrivals at a mean rate (exponential gaps), each from a random sender. The whole schedule
 * exists before the first message is sent: nothing that the servers do can shift it (open loop).
 */
export function poissonArrivals(
  random: Random,
  plan: { ratePerSecond: number; durationMs: number; senders: number },
): Arrivals {
  const { ratePerSecond, durationMs, senders } = plan;
  const mean = (ratePerSecond * durationMs) / 1000;
  // ten standard deviations above the mean: never reached, and the loop below stops there
  const room = Math.ceil(mean + 10 * Math.sqrt(mean) + 10);
  const times = new Float64Array(room);
  const sender = new Int32Array(room);
  const gapMs = 1000 / ratePerSecond;
  let count = 0;
  let at = 0;
  while (count < room) {
    at -= Math.log(1 - random()) * gapMs;
    if (at >= durationMs) break;
    times[count] = at;
    sender[count++] = randomBelow(random, senders);
  }
  const atMs = new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT));
  atMs.set(times.subarray(0, count));
  return { atMs, sender: sender.slice(0, count) };
}

/** Index of the first time that is not before `ms` (the length when there is none). */
export function firstAtOrAfter(times: ArrayLike<number>, ms: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
