import { comparePositions } from '@tidings/protocol/positions';
import { listOf, type Operation, type RunRecord } from './run-record';
import type { Violations } from './violations';

/** What a client gives up by itself keeps its place. */
const GIVEN_UP = 'content_expired';

/** A place in the log, and the event that told it. */
interface Place {
  seq: string;
  what: string;
  event: number;
}

/**
 * I4 and I5: one connection is pushed the entries of a conversation in rising order, but for
 * repetitions; every answer and every copy rises; what one device sends lies in the order of sending;
 * what was answered before something else began stands before it; so does what a device had been shown.
 */
export function checkOrder(record: RunRecord, violations: Violations): void {
  pushes(record, violations);
  copies(record, violations);
  sendingOrder(record, violations);
  realTimeOrder(record, violations);
  readsFirst(record, violations);
}

function pushes(record: RunRecord, violations: Violations): void {
  const connections = new Map<string, { seen: Set<string>; last: Place }>();
  for (const { k, f, s, d, c, seq, i } of record.events) {
    if (k !== 'obs' || f !== 'frame' || seq === undefined) continue;
    const key = `${s} ${c}`;
    const place = { seq, what: seq, event: i };
    const before = connections.get(key);
    if (!before) {
      connections.set(key, { seen: new Set([seq]), last: place });
      continue;
    }
    if (before.seen.has(seq)) continue;
    before.seen.add(seq);
    if (comparePositions(seq, before.last.seq) > 0) before.last = place;
    else {
      const what = `${d} was pushed ${seq} in ${c} after ${before.last.seq}, for the first time`;
      violations.add('push_order', what, [before.last.event, i]);
    }
  }
}

function copies(record: RunRecord, violations: Violations): void {
  for (const { f, d, c, m, i } of record.sightings) {
    if (f === 'frame' || f === 'emit') continue;
    for (let n = 1; n < m.length; n++) {
      const [before, after] = [m[n - 1]!, m[n]!];
      if (comparePositions(after.seq, before.seq) > 0) continue;
      const what = `${f} at ${d}: ${after.seq} follows ${before.seq} in ${c}`;
      violations.add('history_order', what, [i]);
    }
  }
}

/** Where each message lies: as its sender was told, else as it was read. */
function placesOf(record: RunRecord): Map<string, string> {
  const places = new Map<string, string>();
  for (const { f, m } of record.sightings) {
    if (f === 'page') for (const { cid, seq } of m) places.set(cid, seq);
  }
  for (const { f, cid, seq } of record.operations) {
    if (f === 'send' && seq !== null) places.set(cid, seq);
  }
  return places;
}

function sendingOrder(record: RunRecord, violations: Violations): void {
  const places = placesOf(record);
  const last = new Map<string, Place>();
  for (const operation of record.operations) {
    const { f, d, c, cid, began } = operation;
    const seq = places.get(cid);
    if (f !== 'send' || seq === undefined || isGivenUp(record, operation)) continue;
    const before = last.get(`${d} ${c}`);
    if (before && comparePositions(seq, before.seq) <= 0) {
      const what = `${d} sent ${cid} (${seq}) to ${c} after ${before.what} (${before.seq})`;
      violations.add('sending_order', what, [before.event, began]);
    }
    last.set(`${d} ${c}`, { seq, what: cid, event: began });
  }
}

/**
 * Its sender has heard that it was refused, and what they say then does not wait for a try on its way. So too
 * when their device took it for over, and perhaps it was not: its lifetime was being changed.
 */
function isGivenUp(record: RunRecord, { c, inv, outcome, refused }: Operation): boolean {
  if (outcome !== 'info' || refused === null) return false;
  return refused.code !== GIVEN_UP || record.lifetime(c).during(inv, refused.t).size > 1;
}

/** A sweep in time: at its begin an operation notes the highest place that was answered so far. */
function realTimeOrder(record: RunRecord, violations: Violations): void {
  const byConversation = new Map<string, Operation[]>();
  for (const op of record.operations) {
    if (op.outcome === 'ok' && op.seq !== null) listOf(byConversation, op.c).push(op);
  }
  for (const [c, operations] of byConversation) {
    const moments = operations.flatMap((op) => [
      { t: op.inv, op, begins: true },
      { t: op.ret, op, begins: false },
    ]);
    moments.sort((a, b) => a.t - b.t || Number(a.begins) - Number(b.begins));
    let highest: Operation | null = null;
    const needs = new Map<Operation, Operation | null>();
    for (const { op, begins } of moments) {
      if (begins) {
        needs.set(op, highest);
        continue;
      }
      const need = needs.get(op);
      if (need && comparePositions(op.seq!, need.seq!) <= 0) {
        const what = `${op.f} at ${op.seq} in ${c} began after ${need.f} at ${need.seq} was answered`;
        violations.add('real_time_order', what, [need.began, need.ended, op.began, op.ended]);
      }
      if (!highest || comparePositions(op.seq!, highest.seq!) > 0) highest = op;
    }
  }
}

function readsFirst(record: RunRecord, violations: Violations): void {
  const shown = new Map<string, Place>();
  const needs = new Map<number, Place>();
  for (const { k, f, d, c, m = [], i } of record.events) {
    const key = `${d} ${c}`;
    if (k === 'invoke' && f === 'send') {
      const need = shown.get(key);
      if (need) needs.set(i, need);
    }
    if (f !== 'emit') continue;
    for (const { cid, seq } of m) {
      const before = shown.get(key);
      if (before && comparePositions(before.seq, seq) >= 0) continue;
      shown.set(key, { seq, what: cid, event: i });
    }
  }
  for (const { f, d, c, cid, seq, began, ended } of record.operations) {
    const need = needs.get(began);
    if (f !== 'send' || seq === null || !need || comparePositions(seq, need.seq) > 0) continue;
    const what = `${cid} (${seq}) in ${c} was sent by ${d} after it was shown ${need.what} (${need.seq})`;
    violations.add('before_what_was_read', what, [need.event, began, ended]);
  }
}
