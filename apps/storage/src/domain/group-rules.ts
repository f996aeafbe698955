import type { ConversationChange, HistoryMode, MemberRole } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import type { ConversationKind } from '@tidings/protocol/content';
import { LIMITS } from '@tidings/protocol/limits';

/**
 * Where somebody stands in a conversation. `joining` and `leaving`: the change is decided, its
 * record has no position yet. Leaving counts as gone, joining as not yet there.
 */
export type Standing = 'member' | 'joining' | 'leaving' | 'former' | 'never';

/** One person, as the conversation knows him. */
export interface Person {
  userId: string;
  /** Says nothing of those who are no members. */
  role: MemberRole;
  standing: Standing;
}

/** What a change of a conversation has to look at. */
export interface GroupState {
  kind: ConversationKind;
  title: string | null;
  messageTtlSeconds: number | null;
  history: HistoryMode;
  actor: Person;
  /** Those whom the change is about, in the order of the request, each once. */
  targets: readonly Person[];
}

/** What to write, beside one event per change. Empty: everything is so already. */
export interface GroupChange {
  changes: ConversationChange[];
  title?: string;
  messageTtlSeconds?: number | null;
  add?: string[];
  remove?: string[];
  roles?: { userId: string; role: MemberRole }[];
}

/** The request meets a change that has no position yet: decide again when it has. */
export class Unsettled extends Error {
  override readonly name = 'Unsettled';
}

const NOTHING: GroupChange = { changes: [] };

/** Whether a member of this role may do this with a member of that role. */
function mayRemove(actor: MemberRole, target: MemberRole): boolean {
  return actor !== 'member' && target !== 'owner';
}

/** Whether a member of this role may change title and lifetime, and add members. */
function mayManage(actor: MemberRole): boolean {
  return actor !== 'member';
}

/** Whether a member of this role may set the role of somebody else. */
function maySetRoles(actor: MemberRole): boolean {
  return actor === 'owner';
}

/**
 * New title or lifetime. In a direct conversation both may set the lifetime. Throws
 * `no_such_conversation`, `not_allowed`.
 */
export function patch(
  state: GroupState,
  wanted: { title?: string; messageTtlSeconds?: number | null },
): GroupChange {
  requireMember(state.actor);
  const { title, messageTtlSeconds } = wanted;
  const direct = state.kind === 'direct' && title === undefined;
  if (!direct) requireGroup(state, mayManage(state.actor.role));
  const result: GroupChange = { changes: [] };
  if (title !== undefined && title !== state.title) {
    result.title = title;
    result.changes.push({ kind: 'title', title });
  }
  if (messageTtlSeconds !== undefined && messageTtlSeconds !== state.messageTtlSeconds) {
    result.messageTtlSeconds = messageTtlSeconds;
    result.changes.push({ kind: 'ttl', messageTtlSeconds });
  }
  return result;
}

/**
 * Adds the targets. `size`: members now, those who are joining included. Who is there already is
 * passed over. Throws `no_such_conversation`, `not_allowed`, `group_full`, {@link Unsettled}.
 */
export function addMembers(state: GroupState, size: number): GroupChange {
  requireMember(state.actor);
  requireGroup(state, mayManage(state.actor.role));
  if (state.targets.some((t) => t.standing === 'leaving')) throw new Unsettled();
  const add = state.targets
    .filter((t) => t.standing === 'former' || t.standing === 'never')
    .map((t) => t.userId);
  if (add.length === 0) return NOTHING;
  if (size + add.length > LIMITS.groupMembers) throw new TidingsError('group_full');
  return { add, changes: [{ kind: 'added', userIds: add, history: state.history }] };
}

/** Who takes a group over when its owner leaves. `unsettled`: nobody yet, but somebody is joining. */
export type Heir = string | 'unsettled' | null;

/**
 * Removes the target, who may be the actor. Who is gone already is passed over. `heir` is for an
 * owner who leaves. Throws `no_such_conversation`, `not_allowed`, `not_found`, {@link Unsettled}.
 */
export function removeMember(state: GroupState, heir: Heir): GroupChange {
  const target = state.targets[0]!;
  const self = target.userId === state.actor.userId;
  if (self && state.actor.standing === 'leaving') return NOTHING;
  requireMember(state.actor);
  requireGroup(state, self || mayRemove(state.actor.role, 'member'));
  if (target.standing === 'joining') throw new Unsettled();
  if (target.standing === 'never') throw new TidingsError('not_found');
  if (target.standing !== 'member') return NOTHING;
  if (!self && !mayRemove(state.actor.role, target.role)) throw new TidingsError('not_allowed');
  const userIds = [target.userId];
  if (target.role !== 'owner' || heir === null) {
    return { remove: userIds, changes: [{ kind: 'removed', userIds }] };
  }
  if (heir === 'unsettled') throw new Unsettled();
  return {
    remove: userIds,
    roles: [{ userId: heir, role: 'owner' }],
    changes: [{ kind: 'removed', userIds, owner: heir }],
  };
}

/**
 * Gives the target a role; a new owner's predecessor becomes an admin. Throws
 * `no_such_conversation`, `not_allowed`, `not_found`, {@link Unsettled}.
 */
export function setRole(state: GroupState, role: MemberRole): GroupChange {
  const { actor } = state;
  const target = state.targets[0]!;
  requireMember(actor);
  requireGroup(state, maySetRoles(actor.role));
  if (target.standing === 'joining') throw new Unsettled();
  if (target.standing !== 'member') throw new TidingsError('not_found');
  if (target.role === role) return NOTHING;
  // A group is never without its owner: he hands it over, or leaves.
  if (target.userId === actor.userId) throw new TidingsError('not_allowed');
  const roles = [{ userId: target.userId, role }];
  if (role === 'owner') roles.push({ userId: actor.userId, role: 'admin' });
  return { roles, changes: [{ kind: 'role', userId: target.userId, role }] };
}

function requireMember(actor: Person): void {
  if (actor.standing !== 'member') throw new TidingsError('no_such_conversation');
}

function requireGroup({ kind }: GroupState, allowed: boolean): void {
  if (kind !== 'group' || !allowed) throw new TidingsError('not_allowed');
}
