import type { RunRecord } from './run-record';
import type { Violations } from './violations';

/** A fact, and the event that told it. */
interface Told {
  value: string;
  event: number;
}

/**
 * I3: a device hands a message to the application once, an answer has it once, and in a conversation an
 * id and a position name each other. A raw push may come twice, the second time at a higher position: it
 * is the merge that decides, and what it made is seen elsewhere.
 */
export function checkOnce(record: RunRecord, violations: Violations): void {
  const positions = new Map<string, Told>();
  const ids = new Map<string, Told>();
  const bind = (c: string, cid: string, seq: string, event: number): void => {
    const at = remember(positions, `${c} ${cid}`, { value: seq, event });
    if (at.value !== seq) {
      const what = `${cid} in ${c} is at ${seq}, and at ${at.value}`;
      violations.add('two_positions', what, [at.event, event]);
    }
    const id = remember(ids, `${c} ${seq}`, { value: cid, event });
    if (id.value !== cid) {
      const what = `at ${seq} in ${c} is ${cid}, and ${id.value}`;
      violations.add('shared_position', what, [id.event, event]);
    }
  };
  for (const { f, c, cid, seq, ended } of record.operations) {
    if (f === 'send' && seq !== null && ended !== null) bind(c, cid, seq, ended);
  }
  const emitted = new Map<string, Told>();
  for (const { f, c, d, inc = 0, m, i } of record.sightings) {
    if (f === 'frame') continue;
    const here = new Set<string>();
    for (const { cid, seq } of m) {
      bind(c, cid, seq, i);
      if (here.has(cid)) violations.add('doubled', `${f} at ${d} has ${cid} in ${c} twice`, [i]);
      here.add(cid);
      if (f !== 'emit') continue;
      const first = remember(emitted, `${d} ${inc} ${c} ${cid}`, { value: cid, event: i });
      if (first.event !== i) {
        violations.add('doubled', `${d} was shown ${cid} in ${c} twice`, [first.event, i]);
      }
    }
  }
}

/** What was told first. */
function remember(map: Map<string, Told>, key: string, told: Told): Told {
  const first = map.get(key);
  if (first) return first;
  map.set(key, told);
  return told;
}
