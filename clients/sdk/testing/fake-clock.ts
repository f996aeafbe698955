import type { Cancel, Clock } from '../src/clock';

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  private time: number;
  private counter = 0;
  private readonly timers = new Map<number, { at: number; run: () => void }>();

  constructor(start = 1_700_000_000_000) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): Cancel {
    const id = ++this.counter;
    this.timers.set(id, { at: this.time + ms, run });
    return () => this.timers.delete(id);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.timers.size;
  }

  /** Lets time pass; timers run in order, each at its own time. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(([, t]) => t.at <= end).sort(byTime)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].run();
    }
    this.time = end;
  }

  /** As {@link advance}, letting promises settle in between. */
  async pass(ms: number, step = 50): Promise<void> {
    await settle();
    for (let left = ms; left > 0; left -= step) {
      this.advance(Math.min(step, left));
      await settle();
    }
  }
}

function byTime(a: [number, { at: number }], b: [number, { at: number }]): number {
  return a[1].at - b[1].at || a[0] - b[0];
}

/** Lets everything run that waits for promises only. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
