import type { LogItem } from './record-decoder';

/** Consecutive records of one partition: the items among the offsets [first, next). */
export interface Batch {
  partition: number;
  first: bigint;
  next: bigint;
  items: readonly LogItem[];
}

/** What a batch did: null when the fence refused it (somebody else has applied it, or none of it). */
export type Applied = { inserted: number } | null;

/**
 * Applies all batches or none, in one statement, and tells how many items were new. Null: the
 * fence refused one of them.
 */
export type ApplyAll = (batches: readonly Batch[]) => Promise<Applied>;

/** Items of one statement; a single batch may have more. */
const STATEMENT_ITEMS = 3_000;

interface Waiting {
  batch: Batch;
  resolve: (applied: Applied) => void;
  reject: (error: unknown) => void;
}

/**
 * Lets the batches of several partitions share a statement: what is waiting when the last one ends
 * goes together (group commit). The busier the log, the larger the statements, and nothing waits for
 * a timer. When a shared statement fails, each of its batches is judged alone.
 */
export class BatchCombiner {
  private waiting: Waiting[] = [];
  private running = false;

  constructor(private readonly applyAll: ApplyAll) {}

  /** One batch at a time per partition. Rejects with the database's error. */
  apply(batch: Batch): Promise<Applied> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ batch, resolve, reject });
      if (this.running) return;
      this.running = true;
      // at the end of this turn: the other partitions of the same fetch come along
      setImmediate(() => void this.run());
    });
  }

  /** Never rejects. */
  private async run(): Promise<void> {
    while (this.waiting.length > 0) await this.together(this.take());
    this.running = false;
  }

  private take(): Waiting[] {
    let items = 0;
    let count = 0;
    for (const { batch } of this.waiting) {
      items += batch.items.length;
      if (count > 0 && items > STATEMENT_ITEMS) break;
      count++;
    }
    return this.waiting.splice(0, count);
  }

  private async together(all: readonly Waiting[]): Promise<void> {
    if (all.length === 1) return this.alone(all[0]!);
    let applied: Applied = null;
    try {
      applied = await this.applyAll(all.map(({ batch }) => batch));
    } catch {
      // whose fault it is shows below
    }
    if (applied === null) {
      for (const one of all) await this.alone(one);
      return;
    }
    let missing = all.reduce((sum, { batch }) => sum + batch.items.length, -applied.inserted);
    for (const { batch, resolve } of all) {
      const known = Math.min(missing, batch.items.length);
      missing -= known;
      resolve({ inserted: batch.items.length - known });
    }
  }

  private async alone({ batch, resolve, reject }: Waiting): Promise<void> {
    try {
      resolve(await this.applyAll([batch]));
    } catch (error) {
      reject(error);
    }
  }
}
