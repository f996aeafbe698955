import type { SeenMessage } from '../history';
import { listOf, type Operation, type RunRecord, type Sighting } from './run-record';
import type { Violations } from './violations';

/** What ends within so much of a look may be in it or not, nanoseconds. */
const EDGE_NS = 2e9;

/**
 * I1, at rest: what was acknowledged is in the history of everybody who was certainly a member from its
 * sending to the end; all of them read the same; and each device holds what its user can read.
 */
export function checkDelivered(record: RunRecord, violations: Violations): void {
  const sent = new Map<string, Operation[]>();
  for (const op of record.operations) {
    if (op.f === 'send' && op.outcome === 'ok') listOf(sent, op.c).push(op);
  }
  const pages = new Map<string, Sighting>();
  const whole = new Map<string, Sighting>();
  for (const page of record.pagesAtRest()) {
    pages.set(`${page.u} ${page.c}`, page);
    for (const send of sent.get(page.c) ?? []) present(record, violations, page, send);
    if (!sawEverything(record, page)) continue;
    const first = whole.get(page.c);
    if (first) same('histories_differ', violations, first, page);
    else whole.set(page.c, page);
  }
  for (const final of record.finals()) {
    const page = pages.get(`${final.u} ${final.c}`);
    if (page) same('device_differs', violations, page, final);
    for (const send of sent.get(final.c) ?? []) present(record, violations, final, send);
  }
}

/** Whether he was a member from the first message on. */
function sawEverything(record: RunRecord, { u, c, t }: Sighting): boolean {
  const first = record.operations.find((op) => op.f === 'send' && op.c === c);
  return first !== undefined && record.membership(u, c).certainly(true, first.inv, t);
}

function present(record: RunRecord, violations: Violations, look: Sighting, send: Operation): void {
  const { f, u, d, c, m, t, i } = look;
  if (m.some(({ cid }) => cid === send.cid)) return;
  if (!record.membership(u, c).certainly(true, send.inv, t)) return;
  if (mayBeOver(record, send, t)) return;
  const type = f === 'page' ? 'lost' : 'missing_on_device';
  const where = f === 'page' ? `in the history that ${u} reads` : `on ${d}`;
  const what = `${send.cid} at ${send.seq} in ${c} was acknowledged and is not ${where}`;
  violations.add(type, what, [send.began, send.ended, i]);
}

/** Whether its life may be over: by every lifetime that may have been in force. */
function mayBeOver(record: RunRecord, { c, inv, ret }: Operation, t: number): boolean {
  const possible = [...record.lifetime(c).during(inv - EDGE_NS, ret)];
  return possible.some(
    (seconds) => seconds !== 'none' && inv + Number(seconds) * 1e9 < t + EDGE_NS,
  );
}

/** Both hold the same messages, in the same state, but for those that end about now. */
function same(
  type: 'histories_differ' | 'device_differs',
  violations: Violations,
  one: Sighting,
  other: Sighting,
): void {
  const until = Math.max(one.t, other.t) + EDGE_NS;
  const lasting = ({ m }: Sighting): Map<string, string> =>
    new Map(m.filter(({ e = Infinity }) => e > until).map((x) => [x.cid, stateOf(x)]));
  const [left, right] = [lasting(one), lasting(other)];
  const lacks = [...left.keys()].filter((cid) => !right.has(cid));
  const more = [...right.keys()].filter((cid) => !left.has(cid));
  const differ = [...left].filter(([cid, state]) => (right.get(cid) ?? state) !== state);
  if (lacks.length + more.length + differ.length === 0) return;
  const examples = [...lacks, ...more, ...differ.map(([cid]) => cid)].slice(0, 3).join(', ');
  const counts = `lacks ${lacks.length}, has ${more.length} more and ${differ.length} others`;
  const than = `than ${one.d} reads in ${one.c}`;
  violations.add(type, `${other.d} ${counts} ${than}: ${examples}`, [one.i, other.i]);
}

const stateOf = ({ seq, ver = '0', v }: SeenMessage): string => `${seq} ${ver} ${v}`;
