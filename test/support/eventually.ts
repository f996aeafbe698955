/** Long enough for a machine that is five times as slow, milliseconds: only what never comes takes as long. */
export const PATIENCE_MS = 30_000;

/**
 * Runs a check until it stops throwing and gives its value; throws the last failure after `withinMs`.
 * Waits by polling: tests do not sleep for a fixed time.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  withinMs = PATIENCE_MS,
  everyMs = 20,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
