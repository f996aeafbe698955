import { TidingsError } from '@tidings/protocol/errors';

/** Most callers that wait for their turn with one key, and of these one caller's own. */
export const WAITING_MAX = 100;
export const WAITING_PER_CALLER = 40;

/** How long a refused caller should wait, in milliseconds. */
const RETRY_AFTER_MS = 1_000;

interface Line {
  last: Promise<unknown>;
  length: number;
  /** How often each caller is in it. */
  callers: Map<string, number>;
}

/** What somebody wants a turn for. */
export interface TurnOf {
  key: string;
  /** Who asks: nobody may fill the line alone. */
  caller: string;
}

/**
 * Work on one key, one after the other in the order of asking. Whoever waits does so here, not with a
 * connection of the database in his hands.
 */
export class Turns {
  private readonly lines = new Map<string, Line>();

  constructor(private readonly clock: () => number = () => performance.now()) {}

  /**
   * Runs `work` when those before are done, however they ended. Throws `busy` when the line is full, or
   * the caller's part of it,
   * or the turn does not come within `ms` milliseconds: then `work` is not begun.
   */
  take<T>({ key, caller }: TurnOf, ms: number, work: () => Promise<T>): Promise<T> {
    const known = this.lines.get(key);
    const line: Line = known ?? { last: Promise.resolve(), length: 0, callers: new Map() };
    const own = line.callers.get(caller) ?? 0;
    if (line.length >= WAITING_MAX || own >= WAITING_PER_CALLER) return Promise.reject(busy());
    this.lines.set(key, line);
    line.length += 1;
    line.callers.set(caller, own + 1);
    const deadline = this.clock() + ms;
    const turn = line.last.then(() => {
      if (this.clock() > deadline) throw busy();
      return work();
    });
    line.last = turn.catch(() => undefined).then(() => this.left(key, line, caller));
    return turn;
  }

  /** Keys with work under way. */
  get size(): number {
    return this.lines.size;
  }

  private left(key: string, line: Line, caller: string): void {
    line.length -= 1;
    const own = (line.callers.get(caller) ?? 1) - 1;
    if (own > 0) line.callers.set(caller, own);
    else line.callers.delete(caller);
    if (line.length === 0) this.lines.delete(key);
  }
}

function busy(): TidingsError {
  const detail = 'Too many changes of this conversation at once';
  return new TidingsError('busy', { detail, retryAfterMs: RETRY_AFTER_MS });
}
