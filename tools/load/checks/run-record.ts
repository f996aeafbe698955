import type { ChangingOperation, HistoryEvent, SeenMessage } from '../history';
import { PossibleStates, type Setting } from './possible-states';

/** Something that somebody did, from its first try to its answer. */
export interface Operation {
  f: ChangingOperation;
  u: string;
  d: string;
  c: string;
  /** message */
  cid: string;
  /** the user whom it is about */
  x: string;
  /** content; seconds */
  v: string;
  re: string | undefined;
  /** nanoseconds; `ret` is Infinity when there was no answer */
  inv: number;
  ret: number;
  outcome: 'ok' | 'fail' | 'info';
  /** Why it was refused; with `info` one try of it: another one may be carried out yet. */
  refused: { code: string; t: number } | null;
  /** its place in the log, when the answer told it */
  seq: string | null;
  /** indices of both events */
  began: number;
  ended: number | null;
}

/** Messages that somebody was shown at one moment. */
export type Sighting = HistoryEvent & { u: string; d: string; c: string; m: SeenMessage[] };

const CHANGING: ReadonlySet<string> = new Set<ChangingOperation>([
  ...(['send', 'edit', 'delete', 'add', 'remove', 'block', 'unblock', 'lifetime'] as const),
]);

/** The phase from which on everything is at rest. */
export const AT_REST = 'at rest';

/** A history, sorted into what was done and what was seen. */
export class RunRecord {
  readonly operations: Operation[] = [];
  readonly sightings: Sighting[] = [];
  /** message id → the one send */
  readonly sends = new Map<string, Operation>();
  /** message id → its edits and deletions, in the order in which they were begun */
  readonly changes = new Map<string, Operation[]>();
  /** message id → when its life is over, as the server told it; the device of its sender may have to guess */
  readonly ends = new Map<string, number>();
  /** conversation → `direct`, `joined` or `all` */
  readonly kinds = new Map<string, string>();
  /** conversation → who may delete what others wrote */
  readonly owners = new Map<string, string>();
  /** When everything had come to rest, nanoseconds; Infinity: it never did. */
  readonly restAt: number;
  private readonly memberships = new Map<string, PossibleStates<boolean>>();
  private readonly blocks = new Map<string, PossibleStates<boolean>>();
  private readonly lifetimes = new Map<string, PossibleStates<string>>();

  constructor(readonly events: readonly HistoryEvent[]) {
    const byBegin = new Map<number, Operation>();
    let restAt = Infinity;
    for (const event of events) {
      if (event.f === 'phase' && event.v === AT_REST) restAt = event.t;
      if (event.f === 'conversation') this.describe(event);
      if (event.k === 'obs' && event.m && event.c !== undefined) {
        this.sightings.push(event as Sighting);
        this.noteEnds(event as Sighting);
      }
      if (!CHANGING.has(event.f)) continue;
      if (event.k === 'invoke') byBegin.set(event.i, this.begin(event));
      else end(byBegin.get(event.op ?? -1), event);
    }
    this.restAt = restAt;
    this.makeStates();
  }

  /** Everybody who was ever about to be a member of a conversation. */
  membersOf(c: string): Set<string> {
    const adds = this.operations.filter((op) => op.f === 'add' && op.c === c);
    return new Set(adds.map(({ x }) => x));
  }

  /** Whether somebody was in a conversation, at each moment: nobody is, until he is added. */
  membership(u: string, c: string): PossibleStates<boolean> {
    return this.memberships.get(`${u} ${c}`) ?? OUT;
  }

  /** Whether `by` blocked somebody, at each moment. */
  block(by: string, u: string): PossibleStates<boolean> {
    return this.blocks.get(`${by} ${u}`) ?? OUT;
  }

  /** Seconds that messages of a conversation live, at each moment, or `none`. */
  lifetime(c: string): PossibleStates<string> {
    return this.lifetimes.get(c) ?? KEPT;
  }

  /** The last read of all of a conversation by each user, at rest. */
  pagesAtRest(): Sighting[] {
    return this.lastAtRest('page', ({ u, c }) => `${u} ${c}`);
  }

  /** What each device held in the end. */
  finals(): Sighting[] {
    return this.lastAtRest('final', ({ d, c }) => `${d} ${c}`);
  }

  private lastAtRest(f: 'page' | 'final', key: (sighting: Sighting) => string): Sighting[] {
    const last = new Map<string, Sighting>();
    for (const sighting of this.sightings) {
      if (sighting.f !== f || (sighting.inv ?? sighting.t) < this.restAt) continue;
      last.set(key(sighting), sighting);
    }
    return [...last.values()];
  }

  private noteEnds({ f, m }: Sighting): void {
    if (f === 'emit' || f === 'final') return;
    for (const { cid, e } of m) if (e !== undefined) this.ends.set(cid, e);
  }

  private describe({ c = '', v, x }: HistoryEvent): void {
    this.kinds.set(c, String(v));
    if (x !== undefined) this.owners.set(c, x);
  }

  private begin(event: HistoryEvent): Operation {
    const { f, u = '', d = '', c = '', cid = '', x = '', re, i, t } = event;
    const operation: Operation = {
      f: f as ChangingOperation,
      u,
      d,
      c,
      cid,
      x,
      re,
      inv: t,
      ret: Infinity,
      began: i,
      v: typeof event.v === 'string' ? event.v : '',
      outcome: 'info',
      refused: null,
      seq: null,
      ended: null,
    };
    this.operations.push(operation);
    if (f === 'send') this.sends.set(cid, operation);
    if (f === 'edit' || f === 'delete') listOf(this.changes, cid).push(operation);
    return operation;
  }

  private makeStates(): void {
    const members = new Map<string, Setting<boolean>[]>();
    const blocks = new Map<string, Setting<boolean>[]>();
    const lifetimes = new Map<string, Setting<string>[]>();
    for (const op of this.operations) {
      const { f, c, u, x, v } = op;
      if (f === 'add') listOf(members, `${x} ${c}`).push({ ...op, target: true });
      if (f === 'remove') listOf(members, `${x} ${c}`).push({ ...op, target: false });
      if (f === 'block') listOf(blocks, `${u} ${x}`).push({ ...op, target: true });
      if (f === 'unblock') listOf(blocks, `${u} ${x}`).push({ ...op, target: false });
      if (f === 'lifetime') listOf(lifetimes, c).push({ ...op, target: v });
    }
    for (const [key, all] of members) this.memberships.set(key, new PossibleStates(false, all));
    for (const [key, all] of blocks) this.blocks.set(key, new PossibleStates(false, all));
    for (const [key, all] of lifetimes) this.lifetimes.set(key, new PossibleStates('none', all));
  }
}

const OUT = new PossibleStates<boolean>(false, []);
const KEPT = new PossibleStates<string>('none', []);

function end(operation: Operation | undefined, { k, t, i, seq, v }: HistoryEvent): void {
  if (!operation || operation.outcome !== 'info') return;
  if (k !== 'ok' && typeof v === 'string') operation.refused = { code: v, t };
  if (k !== 'ok' && k !== 'fail') return;
  operation.outcome = k;
  operation.ret = t;
  operation.ended = i;
  operation.seq = seq ?? null;
}

/** The list under a key, made when there is none. */
export function listOf<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (!list) map.set(key, (list = []));
  return list;
}
