import type { ConversationChange } from '@tidings/protocol/content';
import type { ConversationChanged } from '@tidings/common/log-events/events';
import { BASE, changeAt, uuid } from '../../test/entries';
import {
  afterChange,
  caughtUp,
  membership,
  membershipOf,
  recipientsAt,
  type Member,
  type Membership,
} from './members';

const [a, b, c, d] = [uuid(1), uuid(2), uuid(3), uuid(4)] as const;

function event(version: number, change: ConversationChange): ConversationChanged {
  return changeAt(1, { users: [1], version, kind: 'group', change }).event;
}

const added = (userIds: string[], history: 'joined' | 'all' = 'joined'): ConversationChange => ({
  kind: 'added',
  userIds,
  history,
});
const removed = (...userIds: string[]): ConversationChange => ({ kind: 'removed', userIds });
const inFrom = (from: bigint, ...userIds: string[]): Member[] =>
  userIds.map((userId) => ({ userId, from, until: null }));
const founded = (version: number, ...userIds: string[]) =>
  membership('group', version, inFrom(0n, ...userIds));
const sorted = (known: Membership, position: bigint): string[] =>
  [...recipientsAt(known, position)].sort();

describe('recipientsAt', () => {
  const known = membership('group', 4, [
    { userId: a, from: 0n, until: null },
    { userId: b, from: 9n, until: null },
    { userId: c, from: 0n, until: 20n },
  ]);

  it.each([
    [9n, [a, c]],
    [10n, [a, b, c]],
    [20n, [a, b, c]],
    [21n, [a, b]],
  ])('from < position ≤ until at %s', (position, expected) => {
    expect(recipientsAt(known, position)).toEqual(expected);
  });

  it('takes a short cut where nobody comes or goes any more', () => {
    expect(recipientsAt(known, 21n)).toBe(known.steady);
    const direct = membershipOf({
      conversationId: 'c',
      kind: 'direct',
      version: 1,
      lastPosition: '0',
      members: [a, b].map((userId) => ({ userId, from: '0', until: null })),
    });
    expect(recipientsAt(direct, 1n)).toBe(direct.steady);
  });
});

describe('afterChange', () => {
  it('takes the founders from a creation, however many', () => {
    const users = Array.from({ length: 1_000 }, (_, i) => i);
    const created = afterChange(undefined, changeAt(5, { users }).event, 1_005n)!;
    expect(recipientsAt(created, 1_005n)).toEqual(users.map(uuid));
  });

  it('shows the record to whom it adds and removes, and nothing beyond', () => {
    const joined = afterChange(founded(1, a, b), event(2, added([c])), 50n)!;
    const left = afterChange(joined, event(3, removed(b, a)), 60n)!;
    const back = afterChange(left, event(4, added([b])), 70n)!;
    expect([49n, 50n].map((p) => sorted(joined, p))).toEqual([
      [a, b],
      [a, b, c],
    ]);
    expect([59n, 60n, 61n].map((p) => sorted(left, p))).toEqual([[a, b, c], [a, b, c], [c]]);
    expect([69n, 70n].map((p) => sorted(back, p))).toEqual([[c], [b, c]]);
  });

  it('with all history shows what lay before', () => {
    const joined = afterChange(founded(1, a), event(2, added([c], 'all')), 50n)!;
    expect(sorted(joined, 1n)).toEqual([a, c]);
  });

  it('forgets who was out before', () => {
    const left = afterChange(founded(1, a, b, c), event(2, removed(b)), 60n)!;
    const later = afterChange(left, event(3, removed(c)), 70n)!;
    expect(later.members.map((m) => m.userId)).toEqual([a, c]);
  });

  it.each<ConversationChange>([
    { kind: 'title', title: 't' },
    { kind: 'ttl', messageTtlSeconds: null },
    { kind: 'role', userId: b, role: 'admin' },
  ])('%j changes no member', (change) => {
    const known = founded(3, a, b);
    expect(afterChange(known, event(4, change), 9n)).toEqual({ ...known, version: 4 });
  });

  it('ignores what it knows already', () => {
    const known = founded(3, a);
    expect(afterChange(known, event(3, added([b])), 9n)).toBe(known);
  });

  it.each([
    ['a version was missed', 5, 3],
    ['nothing is known', 2, null],
  ])('asks storage when %s', (_name, version, knownVersion) => {
    const known = knownVersion === null ? undefined : founded(knownVersion, a);
    expect(afterChange(known, event(version, added([b])), 9n)).toBeNull();
  });
});

describe('caughtUp', () => {
  const changes = (...list: [number, number, ConversationChange][]) =>
    list.map(([offset, version, change]) =>
      changeAt(offset, { users: [1], version, kind: 'group', change }),
    );
  const at = (offset: number): bigint => BASE + BigInt(offset);

  it('lets stand what storage knew with its position', () => {
    const told = membership('group', 5, [
      ...inFrom(0n, a),
      { userId: b, from: at(9), until: at(30) },
    ]);
    const result = caughtUp(told, changes([10, 4, added([b])]))!;
    expect(result).toEqual({ membership: told, exact: true });
    expect(sorted(result.membership, at(31))).toEqual([a]);
  });

  it('adds who was being added, and does not take it for the last word', () => {
    const { membership: known, exact } = caughtUp(founded(4, a), changes([10, 4, added([b])]))!;
    expect(exact).toBe(false);
    expect([9, 10, 11].map((n) => sorted(known, at(n)))).toEqual([[a], [a, b], [a, b]]);
  });

  it('gives who was being removed the record about himself and nothing behind it', () => {
    const { membership: known, exact } = caughtUp(founded(4, a), changes([10, 4, removed(b)]))!;
    expect(exact).toBe(false);
    expect([9, 10, 11].map((n) => sorted(known, at(n)))).toEqual([[a], [a, b], [a]]);
  });

  it('who comes and goes in one batch sees the records between', () => {
    const both = changes([10, 4, added([b])], [12, 5, removed(b)]);
    const { membership: known } = caughtUp(founded(5, a), both)!;
    const seen = [9, 10, 11, 12, 13].map((n) => sorted(known, at(n)).includes(b));
    expect(seen).toEqual([false, true, true, true, false]);
  });

  it('applies what came after an older copy, step by step, or not at all', () => {
    const steps = changes([10, 4, added([b])], [11, 5, removed(a)], [12, 6, added([d])]);
    const { membership: known, exact } = caughtUp(founded(3, a), steps)!;
    expect([exact, known.version, sorted(known, at(12))]).toEqual([true, 6, [b, d]]);
    expect(caughtUp(founded(2, a), steps)).toBeNull();
  });
});
