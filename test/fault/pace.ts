const TICK_MS = 5;

/**
 * Calls `work` so often a second, evenly, by so many workers, until the time is over; then waits for those
 * under way. A worker that waits misses its turns: what is too slow for the rate gets a lower one.
 * @param forMs milliseconds
 * @param work never rejects; `worker` counts from 0
 */
export async function paced(
  forMs: number,
  perSecond: number,
  workers: number,
  work: (worker: number) => Promise<void>,
): Promise<void> {
  const began = performance.now();
  const everyMs = (workers * 1_000) / perSecond;
  const one = async (worker: number): Promise<void> => {
    let due = began + (everyMs * worker) / workers;
    while (due < began + forMs) {
      const now = performance.now();
      if (now < due)
        await new Promise((resolve) => setTimeout(resolve, Math.max(due - now, TICK_MS)));
      await work(worker);
      due = Math.max(due + everyMs, performance.now() - everyMs);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => one(worker)));
}

/** How often each of some names was counted. */
export class Counts {
  readonly by: Record<string, number> = {};

  add(name: string | number): void {
    this.by[name] = (this.by[name] ?? 0) + 1;
  }

  get total(): number {
    return Object.values(this.by).reduce((a, b) => a + b, 0);
  }
}
