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
