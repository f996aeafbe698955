/**
 * CLOCK_MONOTONIC in milliseconds, with fractions: never goes back and is the same clock in every
 * process and thread of one machine, so that times of the generator and of the watchers compare.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
