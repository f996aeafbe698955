import type { MemberRole } from '@tidings/protocol/content';
import type { TidingsError } from '@tidings/protocol/errors';
import { LIMITS } from '@tidings/protocol/limits';
import {
  addMembers,
  type GroupChange,
  type GroupState,
  patch,
  type Person,
  removeMember,
  setRole,
  type Standing,
} from './group-rules';

const person = (userId: string, role: MemberRole = 'member', standing: Standing = 'member') =>
  ({ userId, role, standing }) satisfies Person;

const state = (actor: Person, targets: Person[], extra: Partial<GroupState> = {}): GroupState => ({
  kind: 'group',
  title: 'old',
  messageTtlSeconds: null,
  history: 'joined',
  actor,
  targets,
  ...extra,
});

/** The outcome in one word: the error's code or name, else `ok`, or `nothing` without a change. */
function outcome(decide: () => GroupChange): string {
  try {
    return decide().changes.length > 0 ? 'ok' : 'nothing';
  } catch (error) {
    return (error as TidingsError).code ?? (error as Error).name;
  }
}

const ROLES = ['owner', 'admin', 'member'] as const;
const GONE = ['joining', 'leaving', 'former', 'never'] as const;

describe('roles', () => {
  it.each<[MemberRole, string, string, string, string]>([
    ['owner', 'ok', 'ok', 'ok', 'ok'],
    ['admin', 'ok', 'ok', 'ok', 'ok'],
    ['member', ...(['not_allowed', 'not_allowed', 'not_allowed', 'not_allowed'] as const)],
  ])('%s: title, lifetime, both, adding', (role, title, ttl, both, adding) => {
    const actor = person('a', role);
    expect([
      outcome(() => patch(state(actor, []), { title: 'new' })),
      outcome(() => patch(state(actor, []), { messageTtlSeconds: 60 })),
      outcome(() => patch(state(actor, []), { title: 'new', messageTtlSeconds: 60 })),
      outcome(() => addMembers(state(actor, [person('n', 'member', 'never')]), 2)),
    ]).toEqual([title, ttl, both, adding]);
  });

  it.each<[MemberRole, string[]]>([
    ['owner', ['not_allowed', 'ok', 'ok']],
    ['admin', ['not_allowed', 'ok', 'ok']],
    ['member', ['not_allowed', 'not_allowed', 'not_allowed']],
  ])('%s removes owner, admin, member', (role, expected) => {
    const actor = person('a', role);
    const found = ROLES.map((r) =>
      outcome(() => removeMember(state(actor, [person('t', r)]), 'heir')),
    );
    expect(found).toEqual(expected);
  });

  it.each<[MemberRole, MemberRole, string[]]>([
    ['owner', 'admin', ['ok', 'nothing', 'ok']],
    ['owner', 'member', ['ok', 'ok', 'nothing']],
    ['admin', 'admin', ['not_allowed', 'not_allowed', 'not_allowed']],
    ['admin', 'member', ['not_allowed', 'not_allowed', 'not_allowed']],
    ['admin', 'owner', ['not_allowed', 'not_allowed', 'not_allowed']],
    ['member', 'member', ['not_allowed', 'not_allowed', 'not_allowed']],
  ])('%s makes a(n) %s owner, admin, member', (role, target, expected) => {
    const group = state(person('a', role), [person('t', target)]);
    expect(ROLES.map((r) => outcome(() => setRole(group, r)))).toEqual(expected);
  });

  it.each<[MemberRole, string]>([
    ['owner', 'nothing'],
    ['admin', 'not_allowed'],
    ['member', 'not_allowed'],
  ])('an owner making himself %s: %s', (role, expected) => {
    const owner = person('a', 'owner');
    expect(outcome(() => setRole(state(owner, [owner]), role))).toBe(expected);
  });

  it('an owner who hands over becomes an admin', () => {
    const group = state(person('a', 'owner'), [person('t')]);
    expect(setRole(group, 'owner').roles).toEqual([
      { userId: 't', role: 'owner' },
      { userId: 'a', role: 'admin' },
    ]);
  });

  it.each<[MemberRole, string | undefined]>([
    ['owner', 'heir'],
    ['admin', undefined],
    ['member', undefined],
  ])('anyone may leave; a leaving %s is followed by %s', (role, owner) => {
    const self = person('a', role);
    expect(removeMember(state(self, [self]), 'heir').changes).toEqual([
      { kind: 'removed', userIds: ['a'], ...(owner && { owner }) },
    ]);
  });

  it('the last one leaves nobody behind; an heir who is joining is waited for', () => {
    const self = person('a', 'owner');
    expect(removeMember(state(self, [self]), null).changes).toEqual([
      { kind: 'removed', userIds: ['a'] },
    ]);
    expect(outcome(() => removeMember(state(self, [self]), 'unsettled'))).toBe('Unsettled');
  });
});

describe('outsiders', () => {
  it.each(GONE)('who is %s may nothing and sees nothing', (standing) => {
    const actor = person('a', 'owner', standing);
    const target = person('t');
    const calls = [
      () => patch(state(actor, []), { title: 'new' }),
      () => addMembers(state(actor, [target]), 1),
      () => removeMember(state(actor, [target]), null),
      () => setRole(state(actor, [target]), 'admin'),
    ];
    expect(calls.map(outcome)).toEqual(calls.map(() => 'no_such_conversation'));
  });

  it.each<[Standing, string]>([
    ['leaving', 'nothing'],
    ['former', 'no_such_conversation'],
    ['never', 'no_such_conversation'],
  ])('who is %s and leaves: %s', (standing, expected) => {
    const self = person('a', 'member', standing);
    expect(outcome(() => removeMember(state(self, [self]), null))).toBe(expected);
  });
});

describe('targets', () => {
  it.each<[Standing, string, string, string]>([
    ['member', 'nothing', 'ok', 'ok'],
    ['joining', 'nothing', 'Unsettled', 'Unsettled'],
    ['leaving', 'Unsettled', 'nothing', 'not_found'],
    ['former', 'ok', 'nothing', 'not_found'],
    ['never', 'ok', 'not_found', 'not_found'],
  ])('%s: adding, removing, a role', (standing, add, remove, role) => {
    const group = state(person('a', 'owner'), [person('t', 'member', standing)]);
    expect([
      outcome(() => addMembers(group, 2)),
      outcome(() => removeMember(group, null)),
      outcome(() => setRole(group, 'admin')),
    ]).toEqual([add, remove, role]);
  });

  it.each([
    [LIMITS.groupMembers - 2, 'ok'],
    [LIMITS.groupMembers - 1, 'group_full'],
  ])('two more in a group of %i: %s', (size, expected) => {
    const targets = ['x', 'y'].map((id) => person(id, 'member', 'never'));
    expect(outcome(() => addMembers(state(person('a', 'admin'), targets), size))).toBe(expected);
  });

  it('who is there already does not count', () => {
    const group = state(person('a', 'admin'), [person('x'), person('y', 'member', 'former')]);
    const added = addMembers({ ...group, history: 'all' }, LIMITS.groupMembers - 1);
    expect(added.changes).toEqual([{ kind: 'added', userIds: ['y'], history: 'all' }]);
  });
});

describe('title and lifetime', () => {
  it('changes only what differs', () => {
    const group = state(person('a', 'owner'), [], { title: 't', messageTtlSeconds: 60 });
    expect(patch(group, { title: 't', messageTtlSeconds: null }).changes).toEqual([
      { kind: 'ttl', messageTtlSeconds: null },
    ]);
    expect(patch(group, { title: 't', messageTtlSeconds: 60 }).changes).toEqual([]);
  });

  it('a direct conversation has a lifetime, and nothing else to change', () => {
    const group = state(person('a'), [person('t')], { kind: 'direct' });
    expect(outcome(() => patch(group, { messageTtlSeconds: 60 }))).toBe('ok');
    const calls = [
      () => patch(group, { title: 'new' }),
      () => addMembers(group, 2),
      () => removeMember(group, null),
      () => removeMember({ ...group, targets: [group.actor] }, null),
      () => setRole(group, 'admin'),
    ];
    expect(calls.map(outcome)).toEqual(calls.map(() => 'not_allowed'));
  });
});
