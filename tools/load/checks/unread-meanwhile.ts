import { comparePositions } from '@tidings/protocol/positions';
import type { HistoryEvent } from '../history';
import { listOf, type Operation, type RunRecord } from './run-record';
import type { Violations } from './violations';

/** What ends within so much of the moment of asking may be counted or not, nanoseconds. */
const EDGE_NS = 2e9;

/** What is known of a message from the outside. */
interface Sent {
  operation: Operation;
  seq: string | undefined;
  /** when its life is over; undefined: nobody was told */
  end: number | undefined;
  deletions: Operation[];
}

/**
 * I9, in flight: what the server says is unread, in an answer that is up to date, lies between what is
 * certain and what is possible. Certain: acknowledged before somebody asked, above every mark that they had
 * told, still there. Possible: begun before the answer, above every mark of theirs that others had been
 * shown, not deleted before somebody asked.
 */
export function checkUnreadMeanwhile(record: RunRecord, violations: Violations): void {
  const messages = messagesOf(record);
  const told = new Marks();
  const shown = new Marks();
  /** of requests that are not answered yet, in time */
  const asked = shownAtRequests(record.events);
  for (const event of record.events) {
    const { k, f, u = '', c = '', x = '', seq = '0', r = '0' } = event;
    if (k === 'invoke' && f === 'read') told.raise(u, c, seq);
    if (k === 'obs' && f === 'receipt') shown.raise(x, c, r);
    if (k !== 'obs' || f !== 'unread' || event.inv === undefined) continue;
    if (!inAllAlong(record, u, c)) continue;
    const others = (messages.get(c) ?? []).filter(({ operation }) => operation.u !== u);
    const low = asked.get(event.i) ?? '0';
    judgeOne(event, others, { told: told.of(u, c), shown: low }, record, violations);
  }
}

function judgeOne(
  { u, d, c = '', n = 0, t, inv = t, i }: HistoryEvent,
  others: readonly Sent[],
  { told, shown }: { told: string; shown: string },
  record: RunRecord,
  violations: Violations,
): void {
  const kept = record.lifetime(c).certainly('none', -Infinity, t);
  const certain = others.filter(
    ({ operation, seq, end, deletions }) =>
      operation.outcome === 'ok' &&
      operation.ret < inv &&
      seq !== undefined &&
      comparePositions(seq, told) > 0 &&
      (kept || (end !== undefined && end > t + EDGE_NS)) &&
      !deletions.some((one) => one.inv < t && one.outcome !== 'fail'),
  );
  const possible = others.filter(
    ({ operation, seq, end = Infinity, deletions }) =>
      operation.outcome !== 'fail' &&
      operation.inv < t &&
      (seq === undefined || comparePositions(seq, shown) > 0) &&
      end > inv - EDGE_NS &&
      !deletions.some((one) => one.outcome === 'ok' && one.ret < inv),
  );
  if (n >= certain.length && n <= possible.length) return;
  const bounds = `${certain.length} at least and ${possible.length} at most`;
  const what = `${d} is told of ${n} unread messages of ${u} in ${c}, when there were ${bounds}`;
  const odd = (n < certain.length ? certain : possible).slice(-4);
  violations.add('unread_wrong', what, [i, ...odd.map(({ operation }) => operation.began)]);
}

/** The highest mark of each user in each conversation so far. */
class Marks {
  private readonly highest = new Map<string, string>();

  raise(u: string, c: string, seq: string): void {
    if (comparePositions(seq, this.of(u, c)) > 0) this.highest.set(`${u} ${c}`, seq);
  }

  of(u: string, c: string): string {
    return this.highest.get(`${u} ${c}`) ?? '0';
  }
}

/** Index of an answer → how far others had been shown that who asks had read, when they asked. */
function shownAtRequests(events: readonly HistoryEvent[]): Map<number, string> {
  const answers = events.filter(({ k, f, inv }) => k === 'obs' && f === 'unread' && inv);
  const byRequest = [...answers].sort((a, b) => a.inv! - b.inv!);
  const shown = new Marks();
  const found = new Map<number, string>();
  let next = 0;
  for (const { k, f, x = '', c = '', r = '0', t } of events) {
    for (; next < byRequest.length && byRequest[next]!.inv! <= t; next++) note(byRequest[next]!);
    if (k === 'obs' && f === 'receipt') shown.raise(x, c, r);
  }
  for (; next < byRequest.length; next++) note(byRequest[next]!);
  return found;

  function note({ i, u = '', c = '' }: HistoryEvent): void {
    found.set(i, shown.of(u, c));
  }
}

function messagesOf(record: RunRecord): Map<string, Sent[]> {
  const seqs = new Map<string, string>();
  for (const { m } of record.sightings) for (const { cid, seq } of m) seqs.set(cid, seq);
  const messages = new Map<string, Sent[]>();
  for (const operation of record.sends.values()) {
    const { c, cid } = operation;
    const deletions = (record.changes.get(cid) ?? []).filter(({ f }) => f === 'delete');
    const seq = operation.seq ?? seqs.get(cid);
    listOf(messages, c).push({ operation, seq, end: record.ends.get(cid), deletions });
  }
  return messages;
}

/** Whoever comes or goes later sees a part of the messages only. */
function inAllAlong(record: RunRecord, u: string, c: string): boolean {
  const first = [...record.sends.values()].find((send) => send.c === c);
  const { certainly } = record.membership(u, c);
  return first === undefined || certainly.call(record.membership(u, c), true, first.inv, Infinity);
}
