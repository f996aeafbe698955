import type { ChangingOperation, HistoryEvent } from '../history';
import { checkAccess } from './access';
import { checkChanges } from './changes';
import { checkContents } from './contents';
import { checkDelivered } from './delivered';
import { checkOnce } from './once';
import { checkOrder } from './order';
import { checkPresence } from './presence';
import { checkReceipts } from './receipts';
import { AT_REST, RunRecord } from './run-record';
import { checkTemporary } from './temporary';
import { checkUnread } from './unread';
import { checkUnreadMeanwhile } from './unread-meanwhile';
import { type Violation, type ViolationType, Violations } from './violations';

/** How often something was done, by how it ended. */
type Tally = Record<'ok' | 'fail' | 'info', number>;

/** Outcome of all checks. `unknown`: too little happened for a verdict. */
export interface Judgement {
  valid: boolean | 'unknown';
  violations: Violation[];
  /** all violations by type; `violations` holds at most eight of each */
  counts: Partial<Record<ViolationType, number>>;
  operations: Partial<Record<ChangingOperation, Tally>>;
  /** operations that were done less often than they have to be */
  tooFew: string[];
}

const CHECKS = [
  checkContents,
  checkOnce,
  checkOrder,
  checkReceipts,
  checkUnread,
  checkUnreadMeanwhile,
  checkPresence,
  checkAccess,
  checkChanges,
  checkTemporary,
  checkDelivered,
];

/**
 * Judges a run of what people do. A pure function, so that a saved history can be judged again after a
 * check was corrected.
 *
 * @param least how often each operation must have been done for a verdict
 */
export function judge(
  events: readonly HistoryEvent[],
  least: Partial<Record<ChangingOperation, number>> = {},
): Judgement {
  const record = new RunRecord(events);
  const violations = new Violations();
  for (const check of CHECKS) check(record, violations);
  const operations: Judgement['operations'] = {};
  for (const { f, outcome } of record.operations) {
    const tally = (operations[f] ??= { ok: 0, fail: 0, info: 0 });
    tally[outcome]++;
  }
  const tooFew = Object.entries(least)
    .filter(([f, count]) => (operations[f as ChangingOperation]?.ok ?? 0) < count)
    .map(([f]) => f);
  if (record.restAt === Infinity) tooFew.push(`never ${AT_REST}`);
  const { found, counts } = violations;
  const valid = found.length > 0 ? false : tooFew.length === 0 || 'unknown';
  return { valid, violations: found, counts, operations, tooFew };
}
