import type { ConversationChanged, ConversationKind } from '@tidings/common/contracts/events';
import type { ConversationRouting } from '@tidings/common/contracts/internal';
import { LIMITS } from '@tidings/common/contracts/limits';
import { Generations } from './generations';

/** Most conversations whose members one partition remembers. */
export const CACHED_MEMBERSHIPS = 50_000;

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
  /** The members' ids when all of them have always been and still are members, else null. */
  constant: readonly string[] | null;
}

/** Builds a membership; derives what makes the usual case cheap. */
export function membership(
  kind: ConversationKind,
  version: number,
  members: readonly Member[],
): Membership {
  const constant = members.every((m) => m.from === 0n && m.until === null)
    ? members.map((m) => m.userId)
    : null;
  return { kind, version, members, constant };
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
  if (known.constant) return known.constant;
  const ids: string[] = [];
  for (const { userId, from, until } of known.members) {
    if (from < begun && (until === null || position <= until)) ids.push(userId);
  }
  return ids;
}

/**
 * The membership after a change at `position`. Who is new is in from the position before it, who is
 * missing is out from the position after it, so that each is sent the record about himself. Null
 * when it does not follow from what is known: then storage must be asked. A version that is not
 * newer changes nothing.
 */
export function afterChange(
  known: Membership | undefined,
  change: ConversationChanged,
  position: bigint,
): Membership | null {
  if (known && change.version <= known.version) return known;
  const complete = change.members.length < LIMITS.membersInline;
  if (change.change.kind === 'created' && complete) {
    const founders = change.members.map((userId) => ({ userId, from: 0n, until: null }));
    return membership(change.kind, change.version, founders);
  }
  if (!known || !complete || change.version !== known.version + 1) return null;
  const now = new Set(change.members);
  const members: Member[] = known.members
    .filter((m) => m.until === null || now.has(m.userId))
    .map((m) => (m.until === null && !now.has(m.userId) ? { ...m, until: position } : m));
  for (const userId of now) {
    const place = members.findIndex((m) => m.userId === userId);
    if (place < 0) members.push({ userId, from: position - 1n, until: null });
    else if (members[place]!.until !== null) {
      members[place] = { userId, from: position - 1n, until: null };
    }
  }
  return membership(change.kind, change.version, members);
}

/** Memberships of one partition, in log order. */
export class Members extends Generations<string, Membership> {
  constructor(capacity = CACHED_MEMBERSHIPS) {
    super(capacity);
  }
}
