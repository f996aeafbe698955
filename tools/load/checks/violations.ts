/** A broken promise, with the smallest facts that show it. */
export interface Violation {
  /** The invariant by its number (docs/RELIABILITY.md, What the checks judge). */
  promise: string;
  type: ViolationType;
  /** One sentence. */
  what: string;
  /** Indices of the events that show it, at most {@link WITNESSES}. */
  events: number[];
}

/** Everything that can be found, by the invariant that it breaks. */
export const VIOLATION_TYPES = {
  I1: ['lost', 'missing_on_device', 'histories_differ', 'device_differs'],
  I2: ['invented', 'refused_but_seen', 'seen_too_early', 'other_sender', 'other_content'],
  I3: ['doubled', 'two_positions', 'shared_position'],
  I4: ['push_order', 'history_order'],
  I5: ['sending_order', 'real_time_order', 'before_what_was_read'],
  I7: ['mark_fell', 'mark_untold', 'read_above_delivered'],
  I9: ['unread_wrong'],
  I10: ['leak', 'receipt_leak'],
  I11: ['done_by_outsider', 'read_by_outsider', 'sent_though_blocked'],
  I12: ['last_seen_wrong', 'last_seen_fell', 'seen_offline', 'seen_online'],
  I18: ['shown_after_deletion', 'version_fell', 'change_lost', 'foreign_change'],
  temporary: ['shown_after_end', 'no_end', 'wrong_end'],
} as const;
export type ViolationType = (typeof VIOLATION_TYPES)[keyof typeof VIOLATION_TYPES][number];

/** Of each type so many are kept, each with so many events; all are counted. */
export const EXAMPLES = 8;
export const WITNESSES = 8;

const PROMISE_OF = new Map<ViolationType, string>(
  Object.entries(VIOLATION_TYPES).flatMap(([promise, types]) =>
    types.map((type) => [type, promise] as const),
  ),
);

/** Collects what checks find. */
export class Violations {
  readonly found: Violation[] = [];
  readonly counts: Partial<Record<ViolationType, number>> = {};

  /** @param events those that show it; what is not known is left out */
  add(type: ViolationType, what: string, events: readonly (number | null | undefined)[]): void {
    const count = (this.counts[type] = (this.counts[type] ?? 0) + 1);
    if (count > EXAMPLES) return;
    const known = events.filter((i): i is number => typeof i === 'number');
    const promise = PROMISE_OF.get(type)!;
    this.found.push({ promise, type, what, events: [...new Set(known)].slice(0, WITNESSES) });
  }
}
