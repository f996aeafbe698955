import type { ConversationChange } from '@tidings/protocol/content';
import type { ConversationChanged } from '@tidings/common/log-events/events';
import type { ConversationKind } from '@tidings/protocol/content';
import type { ConversationRouting } from '@tidings/common/rpc/calls';
import type { ConversationEntry } from './entry';
import { Generations } from './generations';

/** Most conversations whose members one partition remembers. */
const CACHED_MEMBERSHIPS = 50_000;

/** A member's interval of positions (from, until]; `until` null: still a member. */
export interface Member {
  userId: string;
  from: bigint;
  until: bigint | null;
}

/** Who is in a conversation, as of a version. */
export interface Membership {
  kind: ConversationKind;
  version: number;
  members: readonly Member[];
  /** Who is sent every record above {@link steadyFrom}: there nobody begins or ends. */
  steady: readonly string[];
  steadyFrom: bigint;
}

/** Builds a membership; derives what makes the usual case cheap. */
export function membership(
  kind: ConversationKind,
  version: number,
  members: readonly Member[],
): Membership {
  const steady: string[] = [];
  let steadyFrom = 0n;
  for (const { userId, from, until } of members) {
    if (until === null) steady.push(userId);
    const edge = until ?? from;
    if (edge > steadyFrom) steadyFrom = edge;
  }
  return { kind, version, members, steady, steadyFrom };
}

/** A membership as storage tells it. */
export function membershipOf(routing: ConversationRouting): Membership {
  return membership(
    routing.kind,
    routing.version,
    routing.members.map(({ userId, from, until }) => ({
      userId,
      from: BigInt(from),
      until: until === null ? null : BigInt(until),
    })),
  );
}

/**
 * Who is sent the record at this position: from < position ≤ until. A change is for those who see
 * its message, whose position is `begun`.
 */
export function recipientsAt(
  known: Membership,
  position: bigint,
  begun: bigint = position,
): readonly string[] {
  if (begun > known.steadyFrom) return known.steady;
  const ids: string[] = [];
  for (const { userId, from, until } of known.members) {
    if (from < begun && (until === null || position <= until)) ids.push(userId);
  }
  return ids;
}

/**
 * The membership after a change at `position`: who is added is in from the position before it (or
 * from the beginning), who is removed is out behind it, so that each is sent the record about
 * himself. Null when it does not follow from what is known: then storage must be asked. A version
 * that is not newer changes nothing.
 */
export function afterChange(
  known: Membership | undefined,
  { version, kind, change }: ConversationChanged,
  position: bigint,
): Membership | null {
  if (known && version <= known.version) return known;
  if (change.kind === 'created') {
    const founders = change.userIds.map((userId) => ({ userId, from: 0n, until: null }));
    return membership(kind, version, founders);
  }
  if (!known || version !== known.version + 1) return null;
  if (change.kind !== 'added' && change.kind !== 'removed') return { ...known, version };
  const changed = new Set(change.userIds);
  // Records come in order: who was out before this one is sent nothing any more.
  const rest = known.members.filter(
    (m) => !changed.has(m.userId) && (m.until === null || m.until >= position),
  );
  const interval = intervalOf(known.members, change, position);
  return membership(kind, version, [...rest, ...change.userIds.map(interval)]);
}

/**
 * A membership as storage (or a copy of it) told it, with the changes of a batch. Storage knew those
 * up to its version: its intervals stand, and whom it left out (the change had no position yet) is
 * filled in from the changes, for this batch alone: `exact` is false then. Null when what was told is
 * too old for the changes.
 */
export function caughtUp(
  told: Membership,
  changes: readonly ConversationEntry[],
): { membership: Membership; exact: boolean } | null {
  const known = changes.filter(({ event }) => event.version <= told.version);
  const filled = leftOut(told, known);
  let result: Membership | null =
    filled.length > 0 ? membership(told.kind, told.version, [...told.members, ...filled]) : told;
  for (const { event, position } of changes.filter((change) => !known.includes(change))) {
    result = afterChange(result, event, position);
    if (!result) return null;
  }
  return { membership: result, exact: filled.length === 0 };
}

function leftOut(told: Membership, changes: readonly ConversationEntry[]): Member[] {
  if (changes.length === 0) return [];
  const present = new Set(told.members.map((m) => m.userId));
  const filled = new Map<string, Member>();
  for (const { event, position } of changes) {
    if (event.change.kind !== 'added' && event.change.kind !== 'removed') continue;
    const absent = event.change.userIds.filter((userId) => !present.has(userId));
    const interval = intervalOf([...filled.values()], event.change, position);
    for (const userId of absent) filled.set(userId, interval(userId));
  }
  return [...filled.values()];
}

/** The interval of somebody whom this change adds or removes; `known`: the intervals before it. */
function intervalOf(
  known: readonly Member[],
  change: Extract<ConversationChange, { kind: 'added' | 'removed' }>,
  position: bigint,
): (userId: string) => Member {
  const justThis = position - 1n;
  if (change.kind === 'added') {
    const from = change.history === 'all' ? 0n : justThis;
    return (userId) => ({ userId, from, until: null });
  }
  const before = new Map(known.map((m) => [m.userId, m.from]));
  return (userId) => ({ userId, from: before.get(userId) ?? justThis, until: position });
}

/** Memberships of one partition, in log order. */
export class Members extends Generations<string, Membership> {
  constructor(capacity = CACHED_MEMBERSHIPS) {
    super(capacity);
  }
}
