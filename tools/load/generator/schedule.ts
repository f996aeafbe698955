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

/** The part of a schedule that one generator sends: one entry per message of its own, as in {@link Arrivals}. */
export interface Share extends Arrivals {
  /** number of each message in the whole schedule */
  numbers: Int32Array;
  /** The own message of a number of the whole schedule; -1: it is not one of these. */
  own(number: number): number;
  /** Whether a number is that of a message which another generator sends. */
  ofOthers(number: number): boolean;
}

/** The messages whose sender is one's own. */
export function shareOf({ atMs, sender }: Arrivals, isOwn: (sender: number) => boolean): Share {
  const own = new Int32Array(atMs.length).fill(-1);
  const numbers = Int32Array.from(sender.keys()).filter((number) => isOwn(sender[number]!));
  numbers.forEach((number, message) => (own[number] = message));
  const shared = new SharedArrayBuffer(numbers.length * Float64Array.BYTES_PER_ELEMENT);
  const times = new Float64Array(shared);
  numbers.forEach((number, message) => (times[message] = atMs[number]!));
  return {
    atMs: times,
    sender: Int32Array.from(numbers, (number) => sender[number]!),
    numbers,
    own: (number) => own[number] ?? -1,
    ofOthers: (number) => own[number] === -1,
  };
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
