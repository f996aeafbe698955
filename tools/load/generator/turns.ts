/** Whether presence changes in a turn. */
export type TurnKind = 'calm' | 'churn';

/** A stretch of the run phase; milliseconds since the run began, warm-up included. */
export interface Turn {
  kind: TurnKind;
  fromMs: number;
  /** What is measured begins here: what the turn before left is over. */
  measuredFromMs: number;
  toMs: number;
}

/** A turn should take about so long. */
const TURN_MS = 10_000;
/** At the beginning of a turn nothing is measured: who closed at the end of the one before comes back meanwhile. */
const SETTLE_MS = 3_000;

/**
 * The order in which presence stands still and changes: throughout the warm-up, then in turns of equal
 * length, calm, churn, churn, calm and so on, so that a machine that gets slower touches both alike.
 */
export class Turns {
  readonly all: readonly Turn[];
  /** How long presence changes, the warm-up included. */
  readonly churnMs: number;

  constructor(
    private readonly warmupMs: number,
    runMs: number,
  ) {
    const pairs = Math.max(1, Math.round(runMs / 2 / TURN_MS));
    const turnMs = runMs / 2 / pairs;
    this.all = Array.from({ length: 2 * pairs }, (_, i): Turn => {
      const fromMs = warmupMs + i * turnMs;
      const measuredFromMs = fromMs + Math.min(SETTLE_MS, turnMs / 2);
      const kind = i % 4 === 1 || i % 4 === 2 ? 'churn' : 'calm';
      return { kind, fromMs, measuredFromMs, toMs: fromMs + turnMs };
    });
    this.churnMs = warmupMs + runMs / 2;
  }

  /** The kind of turn in which something counts that was to happen at this time; null: it does not count. */
  measured(atMs: number): TurnKind | null {
    const turn = this.all.find(({ measuredFromMs, toMs }) => atMs >= measuredFromMs && atMs < toMs);
    return turn?.kind ?? null;
  }

  /** When something happens that is to happen so long after presence began to change, its pauses left out. */
  whenOf(churnedMs: number): number {
    let left = churnedMs - this.warmupMs;
    let atMs = churnedMs;
    if (left < 0) return atMs;
    for (const { kind, fromMs, toMs } of this.all) {
      if (kind === 'calm' || left < 0) continue;
      atMs = fromMs + Math.min(left, toMs - fromMs);
      left -= toMs - fromMs;
    }
    return atMs;
  }
}
