interface Due<T> {
  at: number;
  key: string;
  what: T;
}

/** Outdated entries stay in the heap until they outnumber the others by this many. */
const SPARE = 1_000;

/** Things that are due at a time, the earliest first: a binary heap, with each key once. */
export class DueTimes<T> {
  private heap: Due<T>[] = [];
  private readonly current = new Map<string, Due<T>>();

  /** Something is due at a time (milliseconds). Replaces the previous time of this key. */
  set(key: string, at: number, what: T): void {
    if (this.current.get(key)?.at === at) return;
    const due = { at, key, what };
    this.current.set(key, due);
    this.push(due);
    if (this.heap.length > 2 * this.current.size + SPARE) this.tidy();
  }

  /** Nothing is due under this key any more. */
  delete(key: string): void {
    this.current.delete(key);
  }

  /** When the next one is due; null: nothing is. */
  next(): number | null {
    while (this.heap[0] && !this.isCurrent(this.heap[0])) this.pop();
    return this.heap[0]?.at ?? null;
  }

  /** Removes and returns everything that is due by a time, the earliest first. */
  take(now: number): T[] {
    const taken: T[] = [];
    for (let at = this.next(); at !== null && at <= now; at = this.next()) {
      const { key, what } = this.pop();
      this.current.delete(key);
      taken.push(what);
    }
    return taken;
  }

  private isCurrent(due: Due<T>): boolean {
    return this.current.get(due.key) === due;
  }

  private tidy(): void {
    // A sorted array is a heap.
    this.heap = [...this.current.values()].sort((a, b) => a.at - b.at);
  }

  private push(due: Due<T>): void {
    const { heap } = this;
    let index = heap.push(due) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.at <= due.at) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = due;
  }

  private pop(): Due<T> {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}
