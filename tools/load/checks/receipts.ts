import { comparePositions } from '@tidings/protocol/positions';
import type { HistoryEvent } from '../history';
import { listOf, type RunRecord } from './run-record';
import type { Violations } from './violations';

/** A mark that a device told: everything up to there. */
export interface ToldMark {
  seq: string;
  t: number;
  event: number;
}

/** What devices have told of how far their users have received and read, in time. */
export class ToldMarks {
  private readonly byUser = new Map<string, ToldMark[]>();

  constructor(events: readonly HistoryEvent[]) {
    for (const { k, f, u, c, seq, t, i } of events) {
      if (k !== 'invoke' || seq === undefined || (f !== 'received' && f !== 'read')) continue;
      const mark = { seq, t, event: i };
      listOf(this.byUser, `${u} ${c} delivered`).push(mark);
      if (f === 'read') listOf(this.byUser, `${u} ${c} read`).push(mark);
    }
  }

  /** What first told so much, if anything did. */
  first(u: string, c: string, kind: 'delivered' | 'read', seq: string): ToldMark | undefined {
    const told = this.byUser.get(`${u} ${c} ${kind}`) ?? [];
    return told.find((mark) => comparePositions(mark.seq, seq) >= 0);
  }

  /** How far a user has read, by all that was told. */
  read(u: string, c: string): string {
    const told = this.byUser.get(`${u} ${c} read`) ?? [];
    return told.reduce((max, { seq }) => (comparePositions(seq, max) > 0 ? seq : max), '0');
  }
}

/**
 * I7: marks never fall, neither from push to push on a connection nor from answer to answer (an answer
 * may be behind a push: devices merge by maximum); nobody has read what has not reached him, and every mark was told before by a
 * device of his. "0" is what is hidden, and says nothing.
 */
export function checkReceipts(record: RunRecord, violations: Violations): void {
  const marks = new ToldMarks(record.events);
  const last = new Map<string, { seq: string; event: number }>();
  for (const { k, f, u, d, s = '', c = '', x = '', seq = '0', r = '0', t, i } of record.events) {
    if (k !== 'obs' || f !== 'receipt') continue;
    const shown = [
      ['delivered', seq],
      ['read', r],
    ] as const;
    for (const [kind, value] of shown) {
      if (value === '0') continue;
      const whose = `${kind} of ${x} in ${c}`;
      const key = `${d} ${s} ${whose}`;
      const before = last.get(key);
      if (before && comparePositions(value, before.seq) < 0 && inAllAlong(record, x, u, c)) {
        const what = `${whose} fell from ${before.seq} to ${value} at ${d}`;
        violations.add('mark_fell', what, [before.event, i]);
      }
      last.set(key, { seq: value, event: i });
      const told = marks.first(x, c, kind, value);
      if (told && told.t <= t) continue;
      violations.add('mark_untold', `${whose} is ${value} at ${d}, which nobody had told`, [i]);
    }
    if (comparePositions(r, seq) > 0) {
      const what = `${x} in ${c} has read ${r} and received ${seq}, at ${d}`;
      violations.add('read_above_delivered', what, [i]);
    }
  }
}

/** Who was removed and comes back begins anew. */
function inAllAlong(record: RunRecord, x: string, u: string | undefined, c: string): boolean {
  const removals = record.operations.filter(({ f }) => f === 'remove');
  return !removals.some((op) => op.c === c && (op.x === x || op.x === u));
}
