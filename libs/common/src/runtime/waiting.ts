import { setTimeout as pause } from 'node:timers/promises';

/** `pause(ms)`: resolves after this time. With `{ signal }` it rejects when that is aborted. */
export { pause };

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

/** Takes why something is waited for at the moment; null: no longer. */
export type Awaiting = (reason: string | null) => void;

/** How something that is away is waited for. */
export interface WhileAway {
  /** Whether a failure says that it is away, and not that it will never be right. */
  isAway(this: void, error: unknown): boolean;
  /** Told why, at each try. */
  awaiting: Awaiting;
  signal: AbortSignal;
  /** Between two tries, in milliseconds. */
  pauseMs: number;
}

/**
 * Tries until it succeeds, for as long as what it needs is away. Rejects with any other failure, and
 * when the signal is aborted.
 */
export async function whileAway<T>(attempt: () => Promise<T>, wait: WhileAway): Promise<T> {
  const { isAway, awaiting, signal, pauseMs } = wait;
  for (;;) {
    signal.throwIfAborted();
    try {
      const result = await attempt();
      awaiting(null);
      return result;
    } catch (error) {
      if (!isAway(error)) throw error;
      awaiting(reasonOf(error));
    }
    await pause(pauseMs, undefined, { signal });
  }
}

/** In words. An address that is several ones fails with an error for each, and no message. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: unknown };
  return message || String(code ?? error);
}
