import { comparePositions } from '@tidings/protocol/positions';
import type { Operation, RunRecord, Sighting } from './run-record';
import type { Violations } from './violations';

/**
 * I18: what is read after a deletion was answered does not show it; the versions that one device reads
 * never fall; at rest every message is as its last change made it; nobody changes what is not his.
 */
export function checkChanges(record: RunRecord, violations: Violations): void {
  for (const sighting of record.sightings) afterDeletion(record, violations, sighting);
  versions(record, violations);
  for (const page of record.pagesAtRest()) atRest(record, violations, page);
  for (const op of record.operations) foreign(record, violations, op);
}

const done = (record: RunRecord, cid: string, f: 'edit' | 'delete'): Operation[] =>
  (record.changes.get(cid) ?? []).filter((op) => op.f === f && op.outcome === 'ok');

function afterDeletion(record: RunRecord, violations: Violations, sighting: Sighting): void {
  const { f, d, c, m, inv, t, i } = sighting;
  if (f === 'frame' || f === 'emit') return;
  for (const { cid, v } of m) {
    if (v === null) continue;
    const deletion = done(record, cid, 'delete').find(({ ret }) => ret < (inv ?? t));
    if (!deletion) continue;
    const what = `${f} at ${d} shows ${cid} in ${c}, which had been deleted`;
    violations.add('shown_after_deletion', what, [deletion.began, deletion.ended, i]);
  }
}

/** A read that began after another had ended shows nothing older. */
function versions(record: RunRecord, violations: Violations): void {
  const last = new Map<string, { ver: string; t: number; event: number }>();
  for (const { f, d, c, m, inv, t, i } of record.sightings) {
    if (f !== 'page' && f !== 'answer') continue;
    for (const { cid, ver = '0', v } of m) {
      const key = `${d} ${c} ${cid}`;
      const before = last.get(key);
      // of two deletions the first counts
      const lower = before && v !== null && comparePositions(ver, before.ver) < 0;
      if (lower && before.t < (inv ?? t)) {
        const what = `${d} read version ${ver} of ${cid} in ${c} after ${before.ver}`;
        violations.add('version_fell', what, [before.event, i]);
      }
      if (!before || !lower) last.set(key, { ver, t, event: i });
    }
  }
}

function atRest(record: RunRecord, violations: Violations, page: Sighting): void {
  for (const { cid, ver = '0', v } of page.m) {
    const where = `at rest ${cid} in ${page.c}, as ${page.u} reads it,`;
    const [deletion] = done(record, cid, 'delete');
    if (deletion && v !== null) {
      const what = `${where} is not deleted`;
      violations.add('change_lost', what, [deletion.began, deletion.ended, page.i]);
    }
    if (v === null) continue;
    for (const edit of done(record, cid, 'edit')) {
      const older = edit.seq !== null && comparePositions(ver, edit.seq) < 0;
      const other = edit.seq === ver && v !== edit.v;
      if (!older && !other) continue;
      const what = `${where} has version ${ver} and not what the edit at ${edit.seq} made of it`;
      violations.add('change_lost', what, [edit.began, edit.ended, page.i]);
    }
  }
}

/** In groups owners and admins may delete; nobody edits for another. */
function foreign(record: RunRecord, violations: Violations, op: Operation): void {
  const { f, u, c, cid, outcome, began, ended } = op;
  if ((f !== 'edit' && f !== 'delete') || outcome !== 'ok') return;
  const send = record.sends.get(cid);
  if (!send || send.u === u) return;
  if (f === 'delete' && record.owners.get(c) === u) return;
  const what = `${f} of ${cid} in ${c} by ${u}, not ${send.u}, was answered as done`;
  violations.add('foreign_change', what, [send.began, began, ended]);
}
