import type { SyncRequest } from '@tidings/common/contracts/frames';
import type { Sha256 } from '@tidings/common/contracts/ids';
import { LIMITS } from '@tidings/common/contracts/limits';
import { digestEntry, type Digested, stateDigest } from './state-digest';
import { CARRIED_MAX, type Continuation, PREFIX_CHARS, type Since, type SyncMode } from './since';

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
export interface Listed {
  /** Its `have`; null: new to it. */
  have: bigint | null;
  digest: string | null;
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
      owed: new Map(rest.carried.map((c) => [c.prefix, { have: c.have, digest: null }])),
      after: rest.after,
      barrierTaken: !rest.delayed,
    };
  }
  const onlyListed = request.since === undefined && request.conversations !== undefined;
  const mode = since ? 'since' : onlyListed ? 'listed' : 'new';
  return {
    ...{ mode, named, next: since?.next ?? null, target: null, owed: new Map() },
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
  upTo: bigint;
  /** The client named it, or it is owed. */
  listed: boolean;
  fresh: boolean;
  digest: string | null;
}

/** A conversation that the user is no member of (any more). */
export interface Gone {
  conversationId: string;
  upTo: bigint;
}

/**
 * Sorts the user's conversations (rows in the order of serving) into those to serve and those that
 * are gone. What is owed from an earlier part comes first and what the client lists again in a
 * continuation last, so that each part gets further.
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
      gone.push({ conversationId: m.conversationId, upTo: m.until ?? listed?.have ?? 0n });
    }
  }
  for (const [conversationId, { have }] of unseen) gone.push({ conversationId, upTo: have ?? 0n });
  const { owed, named, others } = chosen;
  const candidates = task.target === null ? [...named, ...others] : [...owed, ...others, ...named];
  return { candidates, gone };
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
  const wanted = listed ? (listed.have ?? from) : fresh ? from : bound! - 1n;
  return {
    conversationId: m.conversationId,
    partition: m.partition,
    from,
    have: wanted > from ? wanted : from,
    upTo: m.last > from ? m.last : from,
    listed: listed !== null,
    fresh,
    digest: listed?.digest ?? null,
  };
}

/** What the database counted for a candidate. */
export interface Measured {
  /** Visible entries above `have`, counted up to one more than are served. */
  above: number;
  /** Entries up to `have` that were changed above it, counted up to one more than are served. */
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
  /** … and those up to `above` that were changed. */
  changed: boolean;
  more: boolean;
  /** Of the newest ones, so many are kept; one more tells that there are more. */
  keep: number;
  /** Messages at most. */
  cost: number;
}

/** Changed entries of one conversation that are served; with more it is begun anew. */
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
  const anew =
    measured.changed === 0
      ? differs(sha256, candidate, measured, appliedBelow)
      : measured.changed > CHANGED_MAX;
  if (!fresh && anew) {
    const keep = LIMITS.syncFirstPerConversation;
    return {
      ...{ candidate, state: 'reset', above: from, newest: keep + 1, keep, cost: keep },
      ...{ changed: false, more: false },
    };
  }
  const newest = newestLimit(candidate);
  const served = Math.min(measured.above, newest);
  const behind = measured.above > 0 || measured.changed > 0;
  return {
    candidate,
    state: fresh ? 'new' : behind ? 'behind' : 'same',
    above: have,
    newest: served,
    keep: served,
    changed: measured.changed > 0,
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

/** Cuts a plan to one answer: what costs nothing first, then in order while messages are left. */
export function cutToBudget(
  planned: readonly Planned[],
  budget: number = LIMITS.syncMessages,
): { served: Planned[]; left: Planned[] } {
  const free = planned.filter((p) => p.cost === 0);
  const costly = withinCarriage(planned.filter((p) => p.cost > 0));
  let used = 0;
  let count = 0;
  for (const { cost } of costly) {
    if (count > 0 && used + cost > budget) break;
    used += cost;
    count++;
  }
  return { served: [...free, ...costly.slice(0, count)], left: costly.slice(count) };
}

/**
 * A continuation carries a bounded number of listed conversations: those beyond it are served first,
 * with their newest message only (`more` says so).
 */
function withinCarriage(costly: Planned[]): Planned[] {
  const listed = costly.filter((p) => p.candidate.listed);
  if (listed.length <= CARRIED_MAX) return costly;
  const short = new Set(listed.slice(CARRIED_MAX));
  const first = [...short].map((p) => ({
    ...p,
    newest: 1,
    keep: 1,
    more: p.more || p.newest > 1,
    cost: p.cost - p.keep + 1,
  }));
  return [...first, ...costly.filter((p) => !short.has(p))];
}

/** What the next part of an answer has to know about those that were left; null: it is complete. */
export function continuationOf(
  task: SyncTask,
  left: readonly Planned[],
  others: { ids: readonly string[]; complete: boolean },
): Pick<Continuation, 'carried' | 'after'> | null {
  const unlisted = left.filter((p) => !p.candidate.listed).map((p) => p.candidate.conversationId);
  const carry = task.mode === 'since' ? left.filter((p) => p.candidate.listed) : left;
  const carried = carry.map(({ candidate }) => ({
    prefix: candidate.conversationId.slice(0, PREFIX_CHARS),
    have: candidate.fresh ? null : candidate.have,
  }));
  const after = task.mode === 'since' ? afterOf(task, unlisted, others) : null;
  return carried.length === 0 && after === null ? null : { carried, after };
}

/** Up to which id all conversations that were not listed are served; null: all of them are. */
function afterOf(
  task: SyncTask,
  left: readonly string[],
  { ids, complete }: { ids: readonly string[]; complete: boolean },
): string | null {
  const firstLeft = left[0];
  if (firstLeft === undefined) return complete ? null : (ids.at(-1) ?? null);
  return ids.findLast((id) => id < firstLeft) ?? task.after;
}
