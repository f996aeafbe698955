import { LIMITS } from '@tidings/protocol/limits';
import { CARRIED_MAX, type Carried, type Continuation, PREFIX_CHARS } from './since';
import type { Candidate, Planned, SyncTask } from './sync-plan';

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
  const short = new Set(listed.slice(CARRIED_MAX).filter((p) => !p.half));
  const first = [...short].map((p) => ({
    ...p,
    newest: 1,
    keep: 1,
    more: p.more || p.newest > 1,
    cost: p.cost - p.keep + 1,
  }));
  return [...first, ...costly.filter((p) => !short.has(p))];
}

/** A conversation of which a part was served: changes up to this version. */
export interface Half {
  candidate: Candidate;
  seen: bigint;
}

/**
 * What the next part of an answer has to know about those that were left, and of which only a half
 * was served; null: it is complete.
 */
export function continuationOf(
  task: SyncTask,
  left: readonly Planned[],
  others: { ids: readonly string[]; complete: boolean },
  halves: readonly Half[] = [],
): Pick<Continuation, 'carried' | 'after'> | null {
  const unlisted = left.filter((p) => !p.candidate.listed).map((p) => p.candidate.conversationId);
  const carry = task.mode === 'since' ? left.filter((p) => p.candidate.listed) : left;
  const carried = [
    ...halves.map(({ candidate, seen }) => toCarried({ ...candidate, seen })),
    ...carry.map(({ candidate, state }) => toCarried(candidate, state === 'reset')),
  ];
  const after = task.mode === 'since' ? afterOf(task, unlisted, others) : null;
  return carried.length === 0 && after === null ? null : { carried, after };
}

/** `reset`: the client's digest differs; what it says is not asked for again. */
function toCarried(candidate: Candidate, reset = false): Carried {
  const { conversationId, fresh, another, from, have, seen, owedReset } = candidate;
  const prefix = conversationId.slice(0, PREFIX_CHARS);
  if (fresh) return { prefix, have: null };
  if (owedReset !== null) return { prefix, have: owedReset, reset: true };
  if (reset && !another) return { prefix, have, reset: true };
  // Any position below what is visible says the same.
  if (another) return { prefix, have: from - 1n };
  return seen > have ? { prefix, have, seen } : { prefix, have };
}

/** Up to which id all conversations that were not listed are served; null: all of them are. */
function afterOf(
  task: SyncTask,
  left: readonly string[],
  { ids, complete }: { ids: readonly string[]; complete: boolean },
): string | null {
  if (left.length === 0) return complete ? null : (ids.at(-1) ?? null);
  // what costs nothing stands in front of what does: the first one left need not have the smallest id
  const firstLeft = left.reduce((least, id) => (id < least ? id : least));
  return ids.findLast((id) => id < firstLeft) ?? task.after;
}
