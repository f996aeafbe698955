import { createHash } from 'node:crypto';
import type { Since } from './since';
import { stateDigest } from './state-digest';
import {
  type Candidate,
  chooseConversations,
  type Membership,
  planConversation,
  syncTask,
} from './sync-plan';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const positionOf = (_partition: number, offset: bigint): bigint => offset + 1n;
const idOf = (n: number): string => `c${String(n).padStart(7, '0')}-conversation`;
const since = (...next: bigint[]): Since => ({ epoch: 1, next });

const member = (n: number, extra: Partial<Membership> = {}): Membership => ({
  conversationId: idOf(n),
  partition: 0,
  from: 0n,
  until: null,
  leaving: false,
  joined: 0n,
  created: 5n,
  last: 20n,
  ...extra,
});

describe('sync task', () => {
  const listed = [{ conversationId: idOf(1), position: '7', digest: 'd' }];

  it.each([
    ['nothing', {}, null, { mode: 'new', after: '' }],
    ['a since', { since: 's' }, since(3n), { mode: 'since', after: '' }],
    ['a useless since', { since: 's' }, null, { mode: 'new', after: '' }],
    ['a useless since and a list', { since: 's', conversations: listed }, null, { mode: 'new' }],
    ['a list', { conversations: listed }, null, { mode: 'listed', after: null, next: null }],
    ['both', { since: 's', conversations: listed }, since(3n), { mode: 'since', after: '' }],
  ])('of %s', (_what, request, decoded, expected) => {
    expect(syncTask(request, decoded)).toMatchObject(expected);
  });

  it('of a continuation goes on where the first part ended', () => {
    const continuation = {
      mode: 'since' as const,
      target: [9n],
      after: 'k',
      delayed: false,
      carried: [{ prefix: 'c0000001', have: 4n }],
    };
    const task = syncTask({ since: 's' }, { ...since(3n), continuation });
    expect(task).toMatchObject({ mode: 'since', target: [9n], after: 'k', barrierTaken: true });
    expect(task.owed.get('c0000001')).toEqual({ have: 4n, digest: null });
    const delayed = syncTask(
      { since: 's' },
      { ...since(3n), continuation: { ...continuation, delayed: true } },
    );
    expect(delayed.barrierTaken).toBe(false);
  });
});

describe('an owed reset', () => {
  it('is served whatever the client holds, though its digest is not known any more', () => {
    const continuation = {
      mode: 'listed' as const,
      target: [9n],
      after: null,
      delayed: false,
      carried: [{ prefix: 'c0000001', have: 15n, reset: true as const }],
    };
    const task = syncTask({ since: 's' }, { ...since(3n), continuation });
    const { candidates } = chooseConversations(task, [member(1)], positionOf);
    expect(candidates).toMatchObject([{ have: 0n, owedReset: 15n }]);
    const measured = { above: 9, changed: 0, digestAtHave: null };
    expect(planConversation(sha256, candidates[0]!, measured, 30n)).toMatchObject({
      state: 'reset',
      above: 0n,
    });
  });
});

describe('choice of conversations', () => {
  const choose = (task: ReturnType<typeof syncTask>, ...members: Membership[]) =>
    chooseConversations(task, members, positionOf);
  const one = (task: ReturnType<typeof syncTask>, m: Membership) => choose(task, m).candidates[0];
  const list = (position: string) => ({
    conversations: [{ conversationId: idOf(1), position }],
  });

  it.each([
    ['since: not listed, older', syncTask({}, since(10n)), {}, { have: 10n, fresh: false }],
    [
      'since: begun after it',
      syncTask({}, since(10n)),
      { created: 12n },
      { have: 0n, fresh: true },
    ],
    ['since: joined after it', syncTask({}, since(10n)), { from: 11n }, { have: 11n, fresh: true }],
    [
      'since: joined after it, all history',
      syncTask({}, since(10n)),
      { joined: 12n },
      { have: 0n, fresh: true },
    ],
    [
      'since: joined before it',
      syncTask({}, since(10n)),
      { from: 8n },
      { have: 10n, fresh: false },
    ],
    ['new device', syncTask({}, null), {}, { have: 0n, fresh: true }],
    ['listed', syncTask(list('7'), null), {}, { have: 7n, fresh: false, listed: true }],
    ['listed below what is visible', syncTask(list('7'), null), { from: 9n }, { have: 9n }],
    [
      'listed, from an earlier membership',
      syncTask(list('7'), null),
      { from: 9n },
      { have: 9n, another: true },
    ],
    ['listed, as unknown', syncTask(list('0'), null), { from: 9n }, { have: 9n, another: false }],
    ['listed, of this membership', syncTask(list('9'), null), { from: 9n }, { another: false }],
    ['listed above the last entry', syncTask(list('70'), null), {}, { have: 70n, upTo: 20n }],
    ['nothing visible yet', syncTask({}, null), { from: 30n }, { upTo: 30n }],
  ])('%s', (_what, task, extra, expected) => {
    expect(one(task, member(1, extra))).toMatchObject(expected);
  });

  it.each([
    ['left after since', syncTask({}, since(10n)), { until: 15n }, ['15']],
    ['left before since', syncTask({}, since(10n)), { until: 6n }, []],
    ['left and listed', syncTask(list('3'), null), { until: 6n }, ['3']],
    ['a pending removal, listed', syncTask(list('3'), null), { leaving: true }, ['3']],
    ['a pending removal', syncTask({}, since(10n)), { leaving: true }, []],
    ['a pending addition', syncTask({}, since(10n)), { from: null }, []],
    ['a pending addition, listed', syncTask(list('3'), null), { from: null }, ['3']],
  ])('%s', (_what, task, extra, upTo) => {
    const { gone, candidates } = choose(task, member(1, extra));
    expect(candidates).toEqual([]);
    expect(gone.map((g) => String(g.upTo))).toEqual(upTo);
  });

  it('what is listed and unknown is gone, however short its id', () => {
    const conversations = ['everyone', 'unknown-1', 'unknown-2'].map((conversationId) => ({
      conversationId,
      position: '1',
    }));
    const { gone } = choose(syncTask({ conversations }, null));
    expect(gone.map((g) => g.conversationId)).toEqual(['everyone', 'unknown-1', 'unknown-2']);
  });

  it('keeps apart listed conversations whose ids begin alike', () => {
    const ids = ['same-beginning-1', 'same-beginning-2'];
    const conversations = ids.map((conversationId, i) => ({
      conversationId,
      position: String(i + 1),
    }));
    const members = ids.map((conversationId) => ({ ...member(1), conversationId }));
    const { candidates } = choose(syncTask({ conversations }, null), ...members);
    expect(candidates.map((c) => c.have)).toEqual([1n, 2n]);
  });

  it('serves what is owed first and what is listed again last', () => {
    const task = syncTask(
      {
        since: 's',
        conversations: [1, 2].map((n) => ({ conversationId: idOf(n), position: '8' })),
      },
      {
        ...since(3n),
        continuation: {
          mode: 'since',
          target: [9n],
          after: '',
          delayed: false,
          carried: [{ prefix: 'c0000002', have: 4n }],
        },
      },
    );
    const { candidates } = choose(task, member(1), member(2), member(3));
    expect(candidates.map((c) => c.conversationId)).toEqual([idOf(2), idOf(3), idOf(1)]);
    expect(candidates[0]!.have).toBe(8n);
  });

  describe('of which changes were served', () => {
    const halfServed = (conversations: { conversationId: string; position: string }[]) =>
      syncTask(
        { since: 's', conversations },
        {
          ...since(3n),
          continuation: {
            mode: 'since',
            target: [9n],
            after: null,
            delayed: false,
            carried: [
              { prefix: 'c0000001', have: 4n },
              { prefix: 'c0000002', have: 4n, seen: 15n },
            ],
          },
        },
      );

    it('goes on with it before the others', () => {
      const { candidates } = choose(halfServed([]), member(1), member(2));
      expect(candidates.map((c) => [c.conversationId, c.have, c.seen])).toEqual([
        [idOf(2), 4n, 15n],
        [idOf(1), 4n, 4n],
      ]);
    });

    it('begins again when the client has got further meanwhile', () => {
      const task = halfServed([{ conversationId: idOf(2), position: '8' }]);
      expect(one(task, member(2))).toMatchObject({ have: 8n, seen: 8n });
    });
  });
});

describe('plan of one conversation', () => {
  const candidate: Candidate = {
    conversationId: idOf(1),
    partition: 0,
    from: 0n,
    have: 10n,
    seen: 10n,
    upTo: 20n,
    listed: true,
    fresh: false,
    another: false,
    owedReset: null,
    digest: null,
  };
  const lines = ['8:a:0', '10:b:0'];
  const right = stateDigest(sha256, lines);
  const measured = { above: 0, changed: 0, digestAtHave: null };
  const plan = (c: Partial<Candidate>, m: object = {}, appliedBelow = 100n) =>
    planConversation(sha256, { ...candidate, ...c }, { ...measured, ...m }, appliedBelow);

  it.each([
    ['nothing above', {}, {}, { state: 'same', newest: 0, more: false, cost: 0 }],
    ['some above', {}, { above: 3 }, { state: 'behind', newest: 3, more: false, cost: 3 }],
    [
      'exactly as many as served',
      {},
      { above: 100 },
      { state: 'behind', newest: 100, more: false },
    ],
    ['one more', {}, { above: 101 }, { state: 'behind', newest: 100, more: true, cost: 100 }],
    ['new', { fresh: true, have: 0n }, { above: 4 }, { state: 'new', newest: 4, more: false }],
    [
      'new, not counted',
      { fresh: true, have: 0n },
      { above: null },
      { state: 'new', above: 0n, newest: 11, keep: 10, cost: 10, more: false },
    ],
    [
      'new, long',
      { fresh: true, have: 0n },
      { above: 11 },
      { state: 'new', newest: 10, more: true },
    ],
    ['only changed', {}, { changed: 2 }, { state: 'behind', changed: true, cost: 2 }],
    ['many changed', {}, { changed: 400, above: 100 }, { state: 'behind', cost: 500 }],
    [
      'one changed more: the first of them and nothing else',
      {},
      { changed: 401, above: 3 },
      { state: 'behind', half: true, changed: true, newest: 0, more: false, cost: 400 },
    ],
    [
      'the rest of many changed',
      { seen: 50n },
      { changed: 1, above: 3 },
      { state: 'behind', half: false, newest: 3, cost: 4 },
    ],
    ['right digest', { digest: right }, { digestAtHave: lines }, { state: 'same' }],
    [
      'wrong digest',
      { digest: 'x' },
      { digestAtHave: lines },
      { state: 'reset', above: 0n, keep: 10 },
    ],
    [
      'wrong digest, some above',
      { digest: 'x' },
      { digestAtHave: lines, above: 2 },
      { state: 'reset' },
    ],
    [
      'wrong digest, explained by a change',
      { digest: 'x' },
      { digestAtHave: lines, changed: 1 },
      { state: 'behind' },
    ],
    [
      'a version above the position',
      { digest: 'x' },
      { digestAtHave: ['8:a:11'] },
      { state: 'same' },
    ],
    ['an earlier membership', { another: true }, { above: 2 }, { state: 'reset', above: 0n }],
    ['empty, and the client has some', { digest: 'x' }, { digestAtHave: [] }, { state: 'reset' }],
  ])('%s', (_what, c, m, expected) => expect(plan(c, m)).toMatchObject(expected));

  it('does not judge what storage has not applied', () => {
    expect(plan({ digest: 'x' }, { digestAtHave: lines }, 10n).state).toBe('same');
    expect(plan({ digest: 'x' }, { digestAtHave: lines }, 11n).state).toBe('reset');
  });
});
