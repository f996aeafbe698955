import { comparePositions, maxPosition } from '@tidings/protocol/positions';

/** Positions from `from` to `to`, both included. */
export interface Span {
  from: string;
  to: string;
}

/**
 * The runs of a conversation in which everything visible is held: sorted and disjoint. The last one
 * is the newest run; its end is `have`.
 */
export class Spans {
  private list: Span[] = [];

  /** The newest run; null: nothing is known to be complete. */
  get newest(): Span | null {
    return this.list.at(-1) ?? null;
  }

  /** Everything up to here is held, except what the runs leave out; "0": nothing. */
  get have(): string {
    return this.newest?.to ?? '0';
  }

  /** Whether this position lies in a complete run. */
  covers(position: string): boolean {
    return this.list.some((s) => within(position, s));
  }

  /** Adds a complete run and joins it with those it touches. */
  add(from: string, to: string): void {
    let joined: Span = { from, to };
    const rest: Span[] = [];
    for (const span of this.list) {
      if (
        comparePositions(span.to, joined.from) < 0 ||
        comparePositions(span.from, joined.to) > 0
      ) {
        rest.push(span);
      } else {
        joined = {
          from: comparePositions(span.from, joined.from) < 0 ? span.from : joined.from,
          to: maxPosition(span.to, joined.to),
        };
      }
    }
    rest.push(joined);
    this.list = rest.sort((a, b) => comparePositions(a.from, b.from));
  }

  /** Extends the newest run to a later position. */
  extend(to: string): void {
    this.add(this.newest?.from ?? to, to);
  }

  /** Forgets everything below a position. */
  forgetBelow(position: string): void {
    this.list = this.list
      .filter((s) => comparePositions(s.to, position) >= 0)
      .map((s) => ({ from: maxPosition(s.from, position), to: s.to }));
  }

  /** Forgets everything up to and including a position. */
  forgetUpTo(position: string): void {
    this.forgetBelow(String(BigInt(position) + 1n));
  }

  /** A copy of the runs, oldest first. */
  all(): Span[] {
    return this.list.map((s) => ({ ...s }));
  }
}

function within(position: string, span: Span): boolean {
  return comparePositions(position, span.from) >= 0 && comparePositions(position, span.to) <= 0;
}
