import { TidingsError } from '@tidings/common/contracts/errors';

/** Most callers that wait for their turn with one key. */
export const WAITING_MAX = 100;

/** How long a refused caller should wait, in milliseconds. */
const RETRY_AFTER_MS = 1_000;

interface Line {
  last: Promise<unknown>;
  length: number;
}

/**
 * Work on one key, one after the other in the order of asking. Whoever waits does so here, not with a
 * connection of the database in his hands.
 */
export class Turns {
  private readonly lines = new Map<string, Line>();

  constructor(private readonly clock: () => number = () => performance.now()) {}

  /**
   * Runs `work` when those before are done, however they ended. Throws `busy` when the line is full,
   * or the turn does not come within `ms` milliseconds: then `work` is not begun.
   */
  take<T>(key: string, ms: number, work: () => Promise<T>): Promise<T> {
    const line = this.lines.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (line.length >= WAITING_MAX) return Promise.reject(busy());
    this.lines.set(key, line);
    line.length += 1;
    const deadline = this.clock() + ms;
    const turn = line.last.then(() => {
      if (this.clock() > deadline) throw busy();
      return work();
    });
    line.last = turn.catch(() => undefined).then(() => this.left(key, line));
    return turn;
  }

  /** Keys with work under way. */
  get size(): number {
    return this.lines.size;
  }

  private left(key: string, line: Line): void {
    line.length -= 1;
    if (line.length === 0) this.lines.delete(key);
  }
}

function busy(): TidingsError {
  const detail = 'Too many changes of this conversation at once';
  return new TidingsError('busy', { detail, retryAfterMs: RETRY_AFTER_MS });
}
