interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** Everybody who is waiting for the same thing. */
export class Waiters {
  private waiting: Waiter[] = [];

  /** Settles with the next {@link resolve} or {@link reject}. */
  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  resolve(): void {
    for (const { resolve } of this.waiting.splice(0)) resolve();
  }

  reject(error: Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
