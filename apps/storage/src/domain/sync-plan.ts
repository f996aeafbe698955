import type { SyncRequest } from '@tidings/protocol/frames';
import type { Sha256 } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { digestEntry, type Digested, stateDigest } from './state-digest';
import { PREFIX_CHARS, type Since, type SyncMode } from './since';

/** What one sync request asks for. */
export interface SyncTask {
  mode: SyncMode;
  /** Offsets that `since` stands for; null without one. */
  next: readonly bigint[] | null;
  /** What the final `since` says, when an earlier part of the answer has fixed it. */
  target: readonly bigint[] | null;
  /** Conversations that the client named, by id. */
  named: ReadonlyMap<string, Listed>;
  /** Conversations still owed from an earlier part, by the first characters of their id. */
  owed: ReadonlyMap<string, Listed>;
  /** Of those not listed, serve the ones behind this id; null: none any more. */
  after: string | null;
  /** A continuation keeps the barrier of its first part. */
  barrierTaken: boolean;
}

/** What the client holds of a conversation. */
interface Listed {
  /** Its `have`; null: new to it. */
  have: bigint | null;
  digest: string | null;
  /** Of the entries up to `have`, those changed up to this version were served; absent: `have`. */
  seen?: bigint;
  /** An earlier part found that its digest differs. */
  reset?: boolean;
}

/** Reads a request: its `since` (decoded; null when absent or useless) decides the mode. */
export function syncTask(request: SyncRequest, since: Since | null): SyncTask {
  const named = new Map(
    (request.conversations ?? []).map((c) => [
      c.conversationId,
      { have: BigInt(c.position), digest: c.digest ?? null },
    ]),
  );
  const rest = since?.continuation;
  if (since && rest) {
    return {
      mode: rest.mode,
      next: rest.mode === 'since' ? since.next : null,
      target: rest.target,
      named,
      owed: new Map(rest.carried.map(({ prefix, ...held }) => [prefix, { ...held, digest: null }])),
      after: rest.after,
      barrierTaken: !rest.delayed,
    };
  }
  const onlyListed = request.since === undefined && request.conversations !== undefined;
  const mode = since ? 'since' : onlyListed ? 'listed' : 'new';
  return {
    mode,
    named,
    next: since?.next ?? null,
    target: null,
    owed: new Map(),
    after: mode === 'listed' ? null : '',
    barrierTaken: false,
  };
}

/** One of the user's conversations, as the database knows it. Positions. */
export interface Membership {
  conversationId: string;
  partition: number;
  /** Null: not a member yet (the addition is not in the log). */
  from: bigint | null;
  /** Null: still a member. */
  until: bigint | null;
  /** A removal is on its way to the log: counts as done. */
  leaving: boolean;
  /** Where the membership began; "from" may lie before it. */
  joined: bigint;
  created: bigint;
  last: bigint;
}

/** A conversation that the answer has something to say about. */
export interface Candidate {
  conversationId: string;
  partition: number;
  from: bigint;
  /** The client holds everything up to here. */
  have: bigint;
  /** Of the entries up to `have`, those with a version above this are still to be served. */
  seen: bigint;
  upTo: bigint;
  /** The client named it, or it is owed. */
  listed: boolean;
  fresh: boolean;
  /** What the client holds is of an earlier membership. */
  another: boolean;
  /** The client's `have` when an earlier part owes it a reset; else null. */
  owedReset: bigint | null;
  digest: string | null;
}

/** A conversation that the user is no member of (any more). */
export interface Gone {
  conversationId: string;
  upTo: bigint;
}

/**
 * Sorts the user's conversations (rows in the order of serving) into those to serve and those that
 * are gone. What is owed from an earlier part comes first, a conversation whose changes are half
 * served before the others, and what the client lists again in a continuation last, so that each part
 * gets further.
 */
export function chooseConversations(
  task: SyncTask,
  memberships: readonly Membership[],
  positionOf: (partition: number, offset: bigint) => bigint,
): { candidates: Candidate[]; gone: Gone[] } {
  const chosen = { owed: [] as Candidate[], named: [] as Candidate[], others: [] as Candidate[] };
  const unseen = new Map(task.named);
  const gone: Gone[] = [];
  for (const m of memberships) {
    unseen.delete(m.conversationId);
    const { listed, group } = listing(task, m.conversationId);
    const bound = task.next ? positionOf(m.partition, task.next[m.partition]!) : null;
    if (m.from !== null && m.until === null && !m.leaving) {
      chosen[group].push(candidate(m, m.from, listed, bound));
    } else if (listed || (bound !== null && m.until !== null && m.until >= bound)) {
      // What is named is answered as an unknown id is.
      gone.push({ conversationId: m.conversationId, upTo: listed?.have ?? m.until ?? 0n });
    }
  }
  for (const [conversationId, { have }] of unseen) gone.push({ conversationId, upTo: have ?? 0n });
  const { named, others } = chosen;
  const owed = [
    ...chosen.owed.filter(isHalfServed),
    ...chosen.owed.filter((c) => !isHalfServed(c)),
  ];
  const candidates = task.target === null ? [...named, ...others] : [...owed, ...others, ...named];
  return { candidates, gone };
}

function isHalfServed({ seen, have }: Candidate): boolean {
  return seen > have;
}

/** Whether the client named the conversation, or it is owed from an earlier part. */
export function isListed(task: SyncTask, conversationId: string): boolean {
  return listing(task, conversationId).listed !== null;
}

function listing(
  task: SyncTask,
  conversationId: string,
): { listed: Listed | null; group: 'owed' | 'named' | 'others' } {
  const named = task.named.get(conversationId);
  const owed = task.owed.get(conversationId.slice(0, PREFIX_CHARS));
  if (!owed) return { listed: named ?? null, group: named ? 'named' : 'others' };
  // A client that lists it again may have got further meanwhile.
  const further = named?.have != null && named.have > (owed.have ?? -1n);
  return { listed: further ? named : owed, group: 'owed' };
}

function candidate(
  m: Membership,
  from: bigint,
  listed: Listed | null,
  bound: bigint | null,
): Candidate {
  const begun = [m.created, m.joined, from + 1n].reduce((a, b) => (a > b ? a : b));
  const fresh = listed ? listed.have === null : bound === null || begun >= bound;
  const owedReset = listed?.reset === true ? listed.have : null;
  // nothing of what it holds counts
  const wanted =
    owedReset !== null ? from : listed ? (listed.have ?? from) : fresh ? from : bound! - 1n;
  const have = wanted > from ? wanted : from;
  const seen = listed?.seen ?? have;
  return {
    conversationId: m.conversationId,
    partition: m.partition,
    from,
    have,
    seen: seen > have ? seen : have,
    upTo: m.last > from ? m.last : from,
    listed: listed !== null,
    fresh,
    another: listed?.have != null && listed.have > 0n && listed.have < from,
    owedReset,
    digest: listed?.digest ?? null,
  };
}

/** What the database counted for a candidate. */
export interface Measured {
  /**
   * Visible entries above `have`, counted up to one more than are served; null: not counted, because
   * a conversation that is new to the client is served anyway.
   */
  above: number | null;
  /**
   * Entries up to `have` with a version above `seen`, counted up to one more than are served; that also
   * when fewer are too long together.
   */
  changed: number;
  /**
   * Digest up to `have`, or its lines; null when there is nothing to compare. One that was kept has
   * no version above `have`.
   */
  digestAtHave: Digested | null;
}

/** What the answer says about a conversation, and which messages to read for it. */
export interface Planned {
  candidate: Candidate;
  state: 'same' | 'behind' | 'reset' | 'new';
  /** Serve the newest ones above this position … */
  above: bigint;
  /** … at most so many … */
  newest: number;
  /** … and those up to `above` that were changed, the ones changed first. */
  changed: boolean;
  /** More entries, or longer ones, were changed than one part takes: nothing else is served, and the rest is owed. */
  half: boolean;
  more: boolean;
  /** Of the newest ones, so many are kept; one more tells that there are more. */
  keep: number;
  /** Messages at most. */
  cost: number;
}

/** Changed entries of one conversation in one part of an answer; the others come in the next ones. */
export const CHANGED_MAX = LIMITS.syncMessages - LIMITS.syncNewestPerConversation;

/** Most entries that the database counts above a client's position. */
export function newestLimit(candidate: Candidate): number {
  return candidate.fresh ? LIMITS.syncFirstPerConversation : LIMITS.syncNewestPerConversation;
}

/** Decides state and messages of one conversation. `appliedBelow`: position that storage applies next. */
export function planConversation(
  sha256: Sha256,
  candidate: Candidate,
  measured: Measured,
  appliedBelow: bigint,
): Planned {
  const { have, from, fresh } = candidate;
  if (measured.changed > CHANGED_MAX) {
    return {
      candidate,
      state: 'behind',
      above: have,
      newest: 0,
      keep: 0,
      cost: CHANGED_MAX,
      changed: true,
      half: true,
      more: false,
    };
  }
  const differing = measured.changed === 0 && differs(sha256, candidate, measured, appliedBelow);
  if (!fresh && (candidate.another || candidate.owedReset !== null || differing)) {
    const keep = LIMITS.syncFirstPerConversation;
    return {
      candidate,
      state: 'reset',
      above: from,
      newest: keep + 1,
      keep,
      cost: keep,
      changed: false,
      half: false,
      more: false,
    };
  }
  const newest = newestLimit(candidate);
  if (measured.above === null) {
    return {
      candidate,
      state: 'new',
      above: have,
      newest: newest + 1,
      keep: newest,
      cost: newest,
      changed: false,
      half: false,
      more: false,
    };
  }
  const served = Math.min(measured.above, newest);
  const behind = measured.above > 0 || measured.changed > 0;
  return {
    candidate,
    state: fresh ? 'new' : behind ? 'behind' : 'same',
    above: have,
    newest: served,
    keep: served,
    changed: measured.changed > 0,
    half: false,
    more: measured.above > newest,
    cost: served + measured.changed,
  };
}

/** Whether the client's digest tells of a state that no change explains. */
function differs(
  sha256: Sha256,
  { digest, have }: Candidate,
  { digestAtHave: known }: Measured,
  appliedBelow: bigint,
): boolean {
  if (digest === null || known === null || have >= appliedBelow) return false;
  const changed = (line: string): boolean => BigInt(digestEntry(line).version) > have;
  if (typeof known !== 'string' && known.some(changed)) return false;
  return stateDigest(sha256, known) !== digest;
}
