/**
 * A hashed timing wheel (Varghese and Lauck, 1987): many deadlines of about the same length with
 * one timer in all. Items are not removed: whoever is visited judges whether it still matters.
 */
export class TimerWheel<T> {
  private readonly slots: T[][];
  private cursor = 0;

  /** `slots` ticks are the longest deadline. */
  constructor(slots: number) {
    this.slots = Array.from({ length: slots }, () => []);
  }

  /** Has the item visited in `ticks` ticks: at least 1, at most the number of slots. */
  schedule(item: T, ticks: number): void {
    const clamped = Math.max(1, Math.min(this.slots.length, Math.ceil(ticks)));
    this.slots[(this.cursor + clamped) % this.slots.length]!.push(item);
  }

  /** One tick: the items that are due, which the wheel forgets. */
  advance(): T[] {
    this.cursor = (this.cursor + 1) % this.slots.length;
    const due = this.slots[this.cursor]!;
    this.slots[this.cursor] = [];
    return due;
  }
}
