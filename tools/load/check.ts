import { comparePositions } from '@tidings/protocol/positions';
import type { HistoryEntry, HistoryEvent } from './history';

/** What can be wrong with a history. */
export type HistoryErrorType =
  | 'lost'
  | 'duplicate'
  | 'invented'
  | 'failed_but_seen'
  | 'position_conflict'
  | 'order'
  | 'sending_order'
  | 'different_copies';

/** One error with the smallest facts that show it. */
interface HistoryError {
  type: HistoryErrorType;
  what: string;
}

/** Outcome of a check. `unknown`: too little happened for a verdict. */
export interface HistoryReport {
  valid: boolean | 'unknown';
  errors: HistoryError[];
  /** all errors by type; `errors` holds at most eight of each */
  counts: Partial<Record<HistoryErrorType, number>>;
  acknowledged: number;
  /** sends without an answer that says whether they happened */
  unknownSends: number;
  /** raw pushes beyond the first of a message on a device: allowed, a metric */
  rawDuplicates: number;
}

/** Who should hold what. */
export interface CheckScope {
  /** user ids of each conversation's members */
  members: ReadonlyMap<string, readonly string[]>;
  /** device names of each user, fresh devices included */
  devices: ReadonlyMap<string, readonly string[]>;
  /** fewer acknowledged sends than this: no verdict */
  minAcknowledged: number;
}

const EXAMPLES_PER_TYPE = 8;

/** A message as its sender knows it. */
interface Send {
  cid: string;
  c: string;
  device: string | undefined;
  text: string | undefined;
  ackedAt: string | null;
  outcome: 'ok' | 'fail' | 'open';
}

/**
 * Judges a history at rest: every acknowledged message is in the history and on every device of
 * every member; nothing is there twice, or was never sent, or was refused; position and id name each
 * other one to one, everywhere the same; pages and devices are in rising position, what one device sent
 * to one conversation lies there in the order of sending, and every device holds the same as the
 * history. A pure function, so that saved histories can be judged again.
 */
export function checkHistory(events: readonly HistoryEvent[], scope: CheckScope): HistoryReport {
  return new Checker(scope).run(events);
}

class Checker {
  private readonly sends = new Map<string, Send>();
  private readonly errors: HistoryError[] = [];
  private readonly counts: Partial<Record<HistoryErrorType, number>> = {};
  /** conversation → position → id, and conversation → id → position */
  private readonly idAt = new Map<string, Map<string, string>>();
  private readonly positionOf = new Map<string, Map<string, string>>();
  /** device → conversation → ids it has emitted */
  private readonly emitted = new Map<string, Map<string, Set<string>>>();
  /** device → conversation → what it holds at rest */
  private readonly finals = new Map<string, Map<string, HistoryEntry[]>>();
  private readonly pages = new Map<string, HistoryEntry[]>();
  private readonly emittedOnce = new Set<string>();
  private readonly pushedOnce = new Set<string>();
  private rawDuplicates = 0;

  constructor(private readonly scope: CheckScope) {}

  run(events: readonly HistoryEvent[]): HistoryReport {
    for (const event of events) if (event.f === 'send') this.send(event);
    for (const event of events) if (event.k === 'obs') this.observe(event);
    for (const [conversation, entries] of this.pages) {
      this.rising(conversation, entries, 'the history');
    }
    for (const [device, copies] of this.finals) {
      for (const [conversation, entries] of copies) {
        this.rising(conversation, entries, `device ${device}`);
        this.sameAsHistory(device, conversation, entries);
      }
    }
    const sends = [...this.sends.values()];
    this.inOrderOfSending(sends);
    for (const send of sends) if (send.outcome === 'ok') this.present(send);
    const acknowledged = sends.filter(({ outcome }) => outcome === 'ok').length;
    const enough = acknowledged >= this.scope.minAcknowledged;
    return {
      valid: this.errors.length > 0 ? false : enough || 'unknown',
      errors: this.errors,
      counts: this.counts,
      acknowledged,
      unknownSends: sends.filter(({ outcome }) => outcome === 'open').length,
      rawDuplicates: this.rawDuplicates,
    };
  }

  private error(type: HistoryErrorType, what: string): void {
    const count = (this.counts[type] = (this.counts[type] ?? 0) + 1);
    if (count <= EXAMPLES_PER_TYPE) this.errors.push({ type, what });
  }

  private send({ k, c = '', cid = '', d, seq, v }: HistoryEvent): void {
    const key = `${c} ${cid}`;
    const known = this.sends.get(key);
    const text = typeof v === 'string' ? v : undefined;
    const send: Send = known ?? { cid, c, device: d, text, ackedAt: null, outcome: 'open' };
    if (!known) this.sends.set(key, send);
    // one positive answer counts, whatever other tries of the same id were told
    if (k === 'fail' && send.outcome === 'open') send.outcome = 'fail';
    if (k !== 'ok' || seq === undefined) return;
    send.outcome = 'ok';
    send.ackedAt = seq;
    this.bind(c, seq, cid, 'an acknowledgement');
  }

  private observe(event: HistoryEvent): void {
    const { f, d = '', c = '', cid, seq, v, inc = 0 } = event;
    if (f === 'page' || f === 'final') {
      const entries = Array.isArray(v) ? v : [];
      const copies = f === 'page' ? this.pages : ensure(this.finals, d, () => new Map());
      ensure<string, HistoryEntry[]>(copies, c, () => []).push(...entries);
      for (const [position, id] of entries) this.seen(event, position, id);
    } else if (cid !== undefined && seq !== undefined && (f === 'emit' || f === 'frame')) {
      this.seen(event, seq, cid);
      const once = `${d} ${inc} ${c} ${cid}`;
      if (f === 'frame') {
        if (this.pushedOnce.has(once)) this.rawDuplicates++;
        this.pushedOnce.add(once);
        return;
      }
      if (this.emittedOnce.has(once)) this.error('duplicate', `${d} emitted ${cid} in ${c} twice`);
      this.emittedOnce.add(once);
      const conversations = ensure(this.emitted, d, () => new Map<string, Set<string>>());
      ensure(conversations, c, () => new Set<string>()).add(cid);
    }
  }

  private seen({ f, c = '', d, u, v }: HistoryEvent, position: string, id: string): void {
    const where = `${f} ${d ?? ''}`.trim();
    // a raw push may be a duplicate at a higher position: the merge decides
    if (f !== 'frame') this.bind(c, position, id, where);
    const send = this.sends.get(`${c} ${id}`);
    if (!send) {
      this.error('invented', `${where}: ${id} in ${c} was never sent there`);
      return;
    }
    if (send.outcome === 'fail') this.error('failed_but_seen', `${where}: ${id} in ${c}`);
    const text = typeof v === 'string' ? v : undefined;
    if (text !== undefined && send.text !== undefined && text !== send.text) {
      this.error('invented', `${where}: ${id} in ${c} has another text`);
    }
    const members = this.scope.members.get(c);
    if (u !== undefined && members && !members.includes(u)) {
      this.error('invented', `${where}: ${id} in ${c} came to ${u}, who is no member`);
    }
  }

  /** Position and id name each other, in every observation alike. */
  private bind(conversation: string, position: string, id: string, where: string): void {
    const ids = ensure(this.idAt, conversation, () => new Map<string, string>());
    const positions = ensure(this.positionOf, conversation, () => new Map<string, string>());
    const otherId = ids.get(position);
    const otherPosition = positions.get(id);
    if (otherId !== undefined && otherId !== id) {
      this.error(
        'position_conflict',
        `${where}: ${position} in ${conversation} is ${id}, was ${otherId}`,
      );
    }
    if (otherPosition !== undefined && otherPosition !== position) {
      this.error(
        'position_conflict',
        `${where}: ${id} in ${conversation} is at ${position}, was at ${otherPosition}`,
      );
    }
    ids.set(position, id);
    positions.set(id, position);
  }

  private rising(conversation: string, entries: readonly HistoryEntry[], where: string): void {
    const ids = new Set<string>();
    let last: string | null = null;
    for (const [position, id] of entries) {
      if (ids.has(id)) this.error('duplicate', `${where} has ${id} in ${conversation} twice`);
      else if (last !== null && comparePositions(position, last) <= 0) {
        this.error('order', `${where}: ${position} follows ${last} in ${conversation}`);
      }
      ids.add(id);
      last = position;
    }
  }

  /** `sends`: in the order in which they were begun. What is nowhere has no place to be compared. */
  private inOrderOfSending(sends: readonly Send[]): void {
    const last = new Map<string, { cid: string; position: string }>();
    for (const { device, c, cid } of sends) {
      const position = this.positionOf.get(c)?.get(cid);
      if (position === undefined) continue;
      const before = last.get(`${device} ${c}`);
      if (before && comparePositions(position, before.position) <= 0) {
        const what = `${cid} at ${position} was sent after ${before.cid} at ${before.position}`;
        this.error('sending_order', `${device} in ${c}: ${what}`);
      }
      last.set(`${device} ${c}`, { cid, position });
    }
  }

  private sameAsHistory(
    device: string,
    conversation: string,
    entries: readonly HistoryEntry[],
  ): void {
    const history = this.pages.get(conversation);
    if (!history) return;
    const held = new Set(entries.map(([position]) => position));
    const there = new Set(history.map(([position]) => position));
    const missing = history.filter(([position]) => !held.has(position)).length;
    const more = entries.filter(([position]) => !there.has(position)).length;
    if (missing + more === 0) return;
    this.error(
      'different_copies',
      `device ${device} lacks ${missing} and has ${more} more than the history of ${conversation}`,
    );
  }

  private present({ c, cid, ackedAt }: Send): void {
    const what = `${cid} at ${ackedAt} in ${c}`;
    const history = this.pages.get(c);
    const inHistory = history === undefined ? undefined : this.idsOf(c, history).has(cid);
    if (inHistory === false) this.error('lost', `${what}: not in the history`);
    for (const user of this.scope.members.get(c) ?? []) {
      for (const device of this.scope.devices.get(user) ?? []) {
        const final = this.finals.get(device)?.get(c);
        const held = final ? this.idsOf(`${device} ${c}`, final) : this.emitted.get(device)?.get(c);
        if (!held?.has(cid)) this.error('lost', `${what}: not on device ${device} of ${user}`);
      }
    }
  }

  private readonly idSets = new Map<string, Set<string>>();

  private idsOf(key: string, entries: readonly HistoryEntry[]): Set<string> {
    return ensure(this.idSets, key, () => new Set(entries.map(([, id]) => id)));
  }
}

function ensure<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
