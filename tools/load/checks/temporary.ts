import { GRACE_NS } from './access';
import { listOf, type RunRecord, type Sighting } from './run-record';
import type { Violations } from './violations';

/** A push that was on its way when a life ended may arrive so much later; clocks are compared so well. */
const PUSH_SLACK_NS = 2e9;
const CLOCK_SLACK_NS = 0.25e9;
const NS = 1e9;

/**
 * Temporary chats: nothing is shown after its end; in a conversation with a lifetime every message has
 * an end, the same for all, so long after it was sent.
 */
export function checkTemporary(record: RunRecord, violations: Violations): void {
  const ends = endsOf(record);
  for (const sighting of record.sightings) {
    const { f, d, c, m, inv, t, i } = sighting;
    for (const { cid, v } of m) {
      const end = ends.get(cid)?.[0];
      // what is left of a deleted message shows nothing
      if (!end || v === null) continue;
      const pushed = f === 'frame' || f === 'emit';
      const asked = pushed ? t : (inv ?? t);
      const slack = pushed ? PUSH_SLACK_NS : CLOCK_SLACK_NS;
      if (asked <= end.e + slack) continue;
      const late = ((asked - end.e) / NS).toFixed(2);
      const what = `${f} at ${d} shows ${cid} in ${c} ${late} s after its end`;
      violations.add('shown_after_end', what, [end.event, i]);
    }
  }
  for (const [cid, all] of ends) {
    const other = all.find(({ e }) => Math.abs(e - all[0]!.e) > CLOCK_SLACK_NS);
    if (other) violations.add('wrong_end', `${cid} has two ends`, all.slice(0, 2).map(eventOf));
  }
  lifetimes(record, violations);
}

const eventOf = ({ event }: { event: number }): number => event;

/** When the life of each message is over, as the server told it: a device may have to guess. */
function endsOf(record: RunRecord): Map<string, { e: number; event: number }[]> {
  const ends = new Map<string, { e: number; event: number }[]>();
  for (const { f, m, i } of record.sightings) {
    if (f === 'emit' || f === 'final') continue;
    for (const { cid, e } of m) if (e !== undefined) listOf(ends, cid).push({ e, event: i });
  }
  return ends;
}

/** The lifetime in force when a message was sent, where it is certain, decides. */
function lifetimes(record: RunRecord, violations: Violations): void {
  const firsts = new Map<string, Sighting>();
  for (const sighting of record.sightings) {
    // an own message that was just sent has no end yet at its device
    if (sighting.f === 'emit' || sighting.f === 'final') continue;
    for (const { cid } of sighting.m) if (!firsts.has(cid)) firsts.set(cid, sighting);
  }
  for (const [cid, sighting] of firsts) {
    const send = record.sends.get(cid);
    if (!send) continue;
    const until = Math.min(send.ret, sighting.t);
    const possible = record.lifetime(send.c).during(send.inv - GRACE_NS, until);
    if (possible.size > 1) continue;
    const [lifetime] = possible;
    const { e } = sighting.m.find((message) => message.cid === cid)!;
    const events = [send.began, send.ended, sighting.i];
    if (lifetime === 'none') {
      if (e === undefined) continue;
      violations.add('wrong_end', `${cid} in ${send.c} has an end, and should stay`, events);
    } else if (e === undefined) {
      const what = `${cid} in ${send.c} has no end, though messages live ${lifetime} s there`;
      violations.add('no_end', what, events);
    } else {
      const ns = Number(lifetime) * NS;
      const early = e < send.inv + ns - CLOCK_SLACK_NS;
      const late = e > until + ns + CLOCK_SLACK_NS;
      if (early || late) {
        const what = `${cid} in ${send.c} does not live ${lifetime} s from its sending`;
        violations.add('wrong_end', what, events);
      }
    }
  }
}
