/** What can be wrong with a run, by kind of error. */
export type LedgerErrorType =
  | 'lost'
  | 'not_stored'
  | 'stored_elsewhere'
  | 'position_mismatch'
  | 'shared_position'
  | 'ack_changed'
  | 'push_order'
  | 'sender_order'
  | 'chain'
  | 'invented';

/** One kind of error: how often, and the first few cases in words. */
export interface ListedError<T extends string> {
  type: T;
  count: number;
  examples: string[];
}
type LedgerError = ListedError<LedgerErrorType>;

/** Verdict over one run. */
export interface LedgerReport {
  valid: boolean;
  acknowledged: number;
  unanswered: number;
  /** pushes of a message that the device had already: allowed, merged by id, a metric */
  duplicates: number;
  /** pushes that could not say what precedes them: allowed, a metric */
  unknownPrevious: number;
  /** (message, device) pairs that came by a sync after the run instead of a push */
  repaired: number;
  errors: LedgerError[];
}

const MAX_EXAMPLES = 8;

/**
 * The report on all conversations of some ledgers, each of which has whole conversations of its own: nothing that a
 * ledger checks goes beyond one conversation.
 */
export function mergeReports(reports: readonly LedgerReport[]): LedgerReport {
  const sum = (of: (report: LedgerReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    valid: reports.every(({ valid }) => valid),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    unanswered: sum(({ unanswered }) => unanswered),
    duplicates: sum(({ duplicates }) => duplicates),
    unknownPrevious: sum(({ unknownPrevious }) => unknownPrevious),
    repaired: sum(({ repaired }) => repaired),
    errors: mergeErrors(reports.map(({ errors }) => errors)),
  };
}

function mergeErrors(lists: readonly LedgerError[][]): LedgerError[] {
  const byType = new Map<LedgerErrorType, LedgerError>();
  lists.forEach((list, i) => {
    const whose = lists.length > 1 ? `generator ${i + 1}: ` : '';
    for (const { type, count, examples } of list) {
      const error = byType.get(type) ?? { type, count: 0, examples: [] };
      byType.set(type, error);
      error.count += count;
      const more = examples.map((example) => whose + example);
      error.examples = [...error.examples, ...more].slice(0, MAX_EXAMPLES);
    }
  });
  return [...byType.values()];
}

/** Collects errors by kind. */
export class ErrorList<T extends string = LedgerErrorType> {
  private readonly byType = new Map<T, ListedError<T>>();

  add(type: T, example: () => string): void {
    let error = this.byType.get(type);
    if (!error) this.byType.set(type, (error = { type, count: 0, examples: [] }));
    error.count++;
    if (error.examples.length < MAX_EXAMPLES) error.examples.push(example());
  }

  list(): ListedError<T>[] {
    return [...this.byType.values()];
  }
}
