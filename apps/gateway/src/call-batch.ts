interface Waiting<I, O> {
  item: I;
  resolve: (answer: O) => void;
  reject: (error: unknown) => void;
}

/**
 * Turns many single questions into few calls: what is asked in one turn of the event loop, or while
 * the allowed number of calls is out, leaves together. Bounded by whoever asks.
 */
export class CallBatch<I, O> {
  private waiting: Waiting<I, O>[] = [];
  private scheduled = false;
  private out = 0;

  constructor(
    /** Answers items in order; a rejection is every item's. */
    private readonly call: (items: I[]) => Promise<O[]>,
    private readonly limits: { items: number; calls: number },
  ) {}

  /** Asks one item. Rejects as its call does. */
  ask(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.waiting.length === 0 || this.out >= this.limits.calls) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.send(this.waiting.splice(0, this.limits.items));
    });
  }

  private async send(batch: Waiting<I, O>[]): Promise<void> {
    this.out += 1;
    this.schedule();
    try {
      const answers = await this.call(batch.map((w) => w.item));
      batch.forEach((w, i) => w.resolve(answers[i]!));
    } catch (error) {
      for (const w of batch) w.reject(error);
    }
    this.out -= 1;
    this.schedule();
  }
}
