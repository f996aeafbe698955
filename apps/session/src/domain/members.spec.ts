import type { ConversationChange } from '@tidings/common/contracts/content';
import type { ConversationChanged } from '@tidings/common/contracts/events';
import { changeAt, uuid } from '../../test/entries';
import { afterChange, membership, membershipOf, recipientsAt } from './members';

const [a, b, c] = [uuid(1), uuid(2), uuid(3)] as const;

/** A change of a kind that later versions bring; only `members` and `version` count here. */
function later(version: number, members: string[]): ConversationChanged {
  const change = { kind: 'changed' } as unknown as ConversationChange;
  return { ...changeAt(1, { users: [] }).event, kind: 'group', version, members, change };
}

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

  it('takes a short cut when nobody ever came or left', () => {
    const direct = membershipOf({
      conversationId: 'c',
      kind: 'direct',
      version: 1,
      lastPosition: '0',
      members: [a, b].map((userId) => ({ userId, from: '0', until: null })),
    });
    expect(recipientsAt(direct, 1n)).toBe(direct.constant);
  });
});

describe('afterChange', () => {
  it('takes the founders from a creation', () => {
    const created = afterChange(undefined, changeAt(5, { users: [1, 2] }).event, 1_005n)!;
    expect(recipientsAt(created, 1_005n)).toEqual([a, b]);
  });

  it('shows the record to whom it adds and removes, and nothing beyond', () => {
    const founded = membership('group', 1, [
      { userId: a, from: 0n, until: null },
      { userId: b, from: 0n, until: null },
    ]);
    const changed = afterChange(founded, later(2, [a, c]), 50n)!;
    expect(recipientsAt(changed, 49n)).toEqual([a, b]);
    expect(recipientsAt(changed, 50n)).toEqual([a, b, c]);
    expect(recipientsAt(changed, 51n)).toEqual([a, c]);
    const back = afterChange(changed, later(3, [a, b, c]), 60n)!;
    expect(recipientsAt(back, 59n)).toEqual([a, c]);
    expect(recipientsAt(back, 60n)).toEqual([a, b, c]);
  });

  it('ignores what it knows already', () => {
    const known = membership('group', 3, [{ userId: a, from: 0n, until: null }]);
    expect(afterChange(known, later(3, [a, b]), 9n)).toBe(known);
  });

  it.each([
    ['a version was missed', later(5, [a]), 3],
    ['nothing is known', later(2, [a]), null],
    [
      'the list may be cut',
      later(
        4,
        Array.from({ length: 32 }, (_, i) => uuid(i)),
      ),
      3,
    ],
  ])('asks storage when %s', (_name, change, version) => {
    const known = version === null ? undefined : membership('group', version, []);
    expect(afterChange(known, change, 9n)).toBeNull();
  });
});
