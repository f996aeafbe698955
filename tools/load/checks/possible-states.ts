/** Something that sets a state: when it began, when it was answered (Infinity: never), and how. */
export interface Setting<V> {
  inv: number;
  ret: number;
  outcome: 'ok' | 'fail' | 'info';
  target: V;
}

/**
 * What a state may have been at each moment, from the outside: an operation may take effect at any time
 * between its begin and its answer, one without an answer at any time after its begin, or never.
 */
export class PossibleStates<V> {
  /** From `t` on these are possible; rising. */
  private readonly steps: { t: number; values: Set<V> }[];

  constructor(initial: V, settings: readonly Setting<V>[]) {
    this.steps = [{ t: -Infinity, values: new Set([initial]) }];
    const counting = settings.filter(({ outcome }) => outcome !== 'fail');
    const moments = counting.flatMap((op) => [
      { t: op.inv, op, begins: true },
      ...(op.outcome === 'ok' ? [{ t: op.ret, op, begins: false }] : []),
    ]);
    moments.sort((a, b) => a.t - b.t || Number(b.begins) - Number(a.begins));
    for (const { t, op, begins } of moments) {
      const values = begins
        ? new Set([...this.steps.at(-1)!.values, op.target])
        : afterAnswer(op, counting);
      this.steps.push({ t, values });
    }
  }

  /** All values that it may have had at some moment from `from` to `to`. */
  during(from: number, to: number): Set<V> {
    const all = new Set<V>();
    this.steps.forEach(({ t, values }, n) => {
      const until = this.steps[n + 1]?.t ?? Infinity;
      if (t <= to && until > from) for (const value of values) all.add(value);
    });
    return all;
  }

  /** Whether it had this value all the time, for certain. */
  certainly(value: V, from: number, to: number): boolean {
    const all = this.during(from, to);
    return all.size === 1 && all.has(value);
  }
}

/** Its own target, and those of what went on beside it: they may have come before or after it. */
function afterAnswer<V>(op: Setting<V>, all: readonly Setting<V>[]): Set<V> {
  const beside = all.filter(
    (other) =>
      other !== op && other.inv < op.ret && (other.outcome === 'info' || other.ret > op.inv),
  );
  return new Set([op.target, ...beside.map(({ target }) => target)]);
}
