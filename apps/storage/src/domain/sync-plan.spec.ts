import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { LIMITS } from '@tidings/common/contracts/limits';
import { CARRIED_MAX, type Since } from './since';
import { stateDigest } from './state-digest';
import {
  type Candidate,
  chooseConversations,
  continuationOf,
  cutToBudget,
  type Membership,
  planConversation,
  type Planned,
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
      ...{ mode: 'since' as const, target: [9n], after: 'k', delayed: false },
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
    ['listed above the last entry', syncTask(list('70'), null), {}, { have: 70n, upTo: 20n }],
    ['nothing visible yet', syncTask({}, null), { from: 30n }, { upTo: 30n }],
  ])('%s', (_what, task, extra, expected) => {
    expect(one(task, member(1, extra))).toMatchObject(expected);
  });

  it.each([
    ['left after since', syncTask({}, since(10n)), { until: 15n }, ['15']],
    ['left before since', syncTask({}, since(10n)), { until: 6n }, []],
    ['left and listed', syncTask(list('3'), null), { until: 6n }, ['6']],
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
      ...{ conversationId, position: '1' },
    }));
    const { gone } = choose(syncTask({ conversations }, null));
    expect(gone.map((g) => g.conversationId)).toEqual(['everyone', 'unknown-1', 'unknown-2']);
  });

  it('keeps apart listed conversations whose ids begin alike', () => {
    const ids = ['same-beginning-1', 'same-beginning-2'];
    const conversations = ids.map((conversationId, i) => ({
      ...{ conversationId, position: String(i + 1) },
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
          ...{ mode: 'since', target: [9n], after: '', delayed: false },
          carried: [{ prefix: 'c0000002', have: 4n }],
        },
      },
    );
    const { candidates } = choose(task, member(1), member(2), member(3));
    expect(candidates.map((c) => c.conversationId)).toEqual([idOf(2), idOf(3), idOf(1)]);
    expect(candidates[0]!.have).toBe(8n);
  });
});

describe('plan of one conversation', () => {
  const candidate: Candidate = {
    ...{ conversationId: idOf(1), partition: 0, from: 0n, have: 10n, upTo: 20n },
    ...{ listed: true, fresh: false, digest: null },
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
      'new, long',
      { fresh: true, have: 0n },
      { above: 11 },
      { state: 'new', newest: 10, more: true },
    ],
    ['only changed', {}, { changed: 2 }, { state: 'behind', changed: true, cost: 2 }],
    ['many changed', {}, { changed: 400, above: 100 }, { state: 'behind', cost: 500 }],
    ['one changed more', {}, { changed: 401 }, { state: 'reset', above: 0n, keep: 10, cost: 10 }],
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
    ['empty, and the client has some', { digest: 'x' }, { digestAtHave: [] }, { state: 'reset' }],
  ])('%s', (_what, c, m, expected) => expect(plan(c, m)).toMatchObject(expected));

  it('does not judge what storage has not applied', () => {
    expect(plan({ digest: 'x' }, { digestAtHave: lines }, 10n).state).toBe('same');
    expect(plan({ digest: 'x' }, { digestAtHave: lines }, 11n).state).toBe('reset');
  });
});

describe('cut to one answer', () => {
  const planned = (n: number, cost: number, listed: boolean): Planned => ({
    candidate: {
      ...{ conversationId: idOf(n), partition: 0, from: 0n, have: BigInt(n), upTo: 900n },
      ...{ listed, fresh: false, digest: null },
    },
    ...{ state: cost > 0 ? 'behind' : 'same', above: BigInt(n), newest: cost, keep: cost },
    ...{ changed: false, more: false, cost },
  });

  it('serves every conversation once, in at most 500 messages each time', () => {
    const plans = fc.array(fc.tuple(fc.integer({ min: 0, max: 100 }), fc.boolean()), {
      maxLength: 250,
    });
    fc.assert(
      fc.property(plans, (costs) => {
        let rest = costs.map(([cost, listed], i) => planned(i, cost, listed));
        const seen: string[] = [];
        while (rest.length > 0) {
          const { served, left } = cutToBudget(rest);
          expect(served.length).toBeGreaterThan(0);
          expect(served.reduce((sum, p) => sum + p.cost, 0)).toBeLessThanOrEqual(
            LIMITS.syncMessages,
          );
          seen.push(...served.map((p) => p.candidate.conversationId));
          rest = left;
        }
        expect([...seen].sort()).toEqual(costs.map((_, i) => idOf(i)));
      }),
    );
  });

  it('carries no more listed conversations than a since has room for', () => {
    const plans = Array.from({ length: 500 }, (_, i) => planned(i, 100, true));
    const { served, left } = cutToBudget(plans);
    expect(left.length).toBeLessThanOrEqual(CARRIED_MAX);
    expect(served.length + left.length).toBe(500);
    expect(served.reduce((sum, p) => sum + p.cost, 0)).toBeLessThanOrEqual(LIMITS.syncMessages);
    expect(served.filter((p) => p.keep === 1).every((p) => p.more)).toBe(true);
  });

  it('tells the next part what is left', () => {
    const task = syncTask({ since: 's' }, since(3n));
    const others = { ids: [2, 4, 6].map(idOf), complete: true };
    expect(continuationOf(task, [], others)).toBeNull();
    expect(continuationOf(task, [], { ...others, complete: false })).toEqual({
      ...{ carried: [], after: idOf(6) },
    });
    expect(continuationOf(task, [planned(4, 5, false), planned(6, 5, false)], others)).toEqual({
      ...{ carried: [], after: idOf(2) },
    });
    expect(continuationOf(task, [planned(2, 5, false)], others)).toEqual({
      carried: [],
      after: '',
    });
    expect(continuationOf(task, [planned(9, 5, true)], others)).toEqual({
      ...{ carried: [{ prefix: 'c0000009', have: 9n }], after: null },
    });
  });
});
