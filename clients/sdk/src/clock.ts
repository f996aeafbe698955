/** Cancels a timer; calling it again, or after the timer ran, does nothing. */
export type Cancel = () => void;

/** Time as the SDK uses it; passed in, so that tests need no waiting. */
export interface Clock {
  /** Milliseconds; never goes back while the process lives. Starts near Unix time. */
  now(): number;
  /** Runs once after `ms` milliseconds. */
  after(ms: number, run: () => void): Cancel;
}

/** The machine's clock: set once at start from the wall clock, monotonic from then on. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Random number in [0, 1). */
export type Random = () => number;
