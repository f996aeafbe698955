/** Cancels a timer. Does nothing when called again, or after the timer ran. */
export type Cancel = () => void;

/** Time as the SDK uses it. Passed in, so that tests need not wait. */
export interface Clock {
  /** Milliseconds. Never goes back while the process runs. Starts near Unix time. */
  now(): number;
  /** Runs once after `ms` milliseconds. */
  after(ms: number, run: () => void): Cancel;
}

/** The machine's clock: set once from the wall clock at start, monotonic from then on. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Random number in [0, 1). */
export type Random = () => number;
