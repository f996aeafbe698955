/** Lines that were typed, or came through a pipe, until somebody asks for them. */
export class LineQueue<T> {
  private readonly lines: T[] = [];
  private waiting: ((line: T | null) => void) | null = null;
  private ended = false;

  /** How many lines wait. */
  get length(): number {
    return this.lines.length;
  }

  push(line: T): void {
    if (this.waiting) this.give(line);
    else this.lines.push(line);
  }

  /** No more lines come. */
  end(): void {
    this.ended = true;
    if (this.waiting) this.give(null);
  }

  /** The next line; null when no more come. One caller at a time. */
  next(): Promise<T | null> {
    const line = this.lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.ended) return Promise.resolve(null);
    return new Promise((resolve) => (this.waiting = resolve));
  }

  private give(line: T | null): void {
    const waiting = this.waiting!;
    this.waiting = null;
    waiting(line);
  }
}
