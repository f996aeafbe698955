import type { SeenMessage } from '../history';
import { ToldMarks } from './receipts';
import type { Operation, RunRecord, Sighting } from './run-record';
import type { Violations } from './violations';

/** How long after its answer a removal or a block may take to have its effect (docs/PROTOCOL.md), ns. */
export const GRACE_NS = 1e9;

/** What needs membership. */
const BY_MEMBERS = new Set<Operation['f']>(['send', 'edit', 'delete']);

/**
 * I10 and I11: who was certainly no member when something was sent never sees it (in groups that show
 * everything to who is added: not before he is); who was removed reads and does nothing any more;
 * who is blocked sends nothing to who blocks him.
 */
export function checkAccess(record: RunRecord, violations: Violations): void {
  for (const sighting of record.sightings) {
    for (const message of sighting.m) leak(record, violations, sighting, message);
    readByOutsider(record, violations, sighting);
  }
  receiptLeaks(record, violations);
  for (const op of record.operations) doneByOutsider(record, violations, op);
}

function leak(
  record: RunRecord,
  violations: Violations,
  { u, d, c, f, seq, t, i }: Sighting,
  { cid }: SeenMessage,
): void {
  const send = record.sends.get(cid);
  if (!send) return;
  const change = f === 'frame' && seq !== undefined ? changeAt(record, cid, seq) : undefined;
  const { inv, ret, began } = change ?? send;
  const all = record.kinds.get(c) === 'all';
  const until = all || change ? t : Math.min(ret, t);
  if (!record.membership(u, c).certainly(false, inv, until)) return;
  const what = `${f} at ${d}: ${cid} in ${c}, of which ${u} was no member then`;
  violations.add('leak', what, [began, ...lastRemoval(record, u, c, inv), i]);
}

/** The change that a push was about, by its place. */
function changeAt(record: RunRecord, cid: string, seq: string): Operation | undefined {
  return record.changes.get(cid)?.find((op) => op.seq === seq);
}

function lastRemoval(record: RunRecord, u: string, c: string, before: number): number[] {
  const removals = record.operations.filter(
    (op) => op.f === 'remove' && op.x === u && op.c === c && op.inv <= before,
  );
  const last = removals.at(-1);
  return last ? [last.began, ...(last.ended === null ? [] : [last.ended])] : [];
}

function readByOutsider(record: RunRecord, violations: Violations, sighting: Sighting): void {
  const { f, u, d, c, m, inv, t, i } = sighting;
  if ((f !== 'page' && f !== 'answer') || inv === undefined || m.length === 0) return;
  if (!record.membership(u, c).certainly(false, inv - GRACE_NS, t)) return;
  const what = `${d} could read ${m.length} messages of ${c}, though ${u} was no member`;
  violations.add('read_by_outsider', what, [...lastRemoval(record, u, c, inv), i]);
}

/** A mark of another member that was told while the one who sees it was certainly out. */
function receiptLeaks(record: RunRecord, violations: Violations): void {
  const marks = new ToldMarks(record.events);
  for (const { k, f, u = '', d, c = '', x = '', seq = '0', t, i } of record.events) {
    if (k !== 'obs' || f !== 'receipt' || seq === '0') continue;
    const told = marks.first(x, c, 'delivered', seq);
    if (!told || !record.membership(u, c).certainly(false, told.t, t)) continue;
    const what = `${d} was shown a mark of ${x} in ${c}, of which ${u} was no member`;
    violations.add('receipt_leak', what, [told.event, i]);
  }
}

function doneByOutsider(record: RunRecord, violations: Violations, op: Operation): void {
  const { f, u, c, cid, inv, ret, outcome, began, ended } = op;
  if (outcome !== 'ok' || !BY_MEMBERS.has(f)) return;
  const since = inv - GRACE_NS;
  if (record.membership(u, c).certainly(false, since, ret)) {
    const what = `${f} of ${cid} in ${c} by ${u}, who was no member`;
    violations.add('done_by_outsider', what, [...lastRemoval(record, u, c, inv), began, ended]);
  }
  if (record.kinds.get(c) !== 'direct') return;
  for (const other of record.membersOf(c)) {
    if (other === u || !record.block(other, u).certainly(true, since, ret)) continue;
    const what = `${f} of ${cid} in ${c} by ${u}, whom ${other} blocks`;
    const block = record.operations.find(
      (b) => b.f === 'block' && b.u === other && b.x === u && b.ret <= since,
    );
    violations.add('sent_though_blocked', what, [block?.began, block?.ended, began, ended]);
  }
}
