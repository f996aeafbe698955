import fc from 'fast-check';
import { LIMITS } from '@tidings/protocol/limits';
import { CARRIED_MAX } from './since';
import { continuationOf, cutToBudget } from './sync-parts';
import { type Planned, syncTask } from './sync-plan';

const idOf = (n: number): string => `c${String(n).padStart(7, '0')}-conversation`;

describe('cut to one answer', () => {
  const planned = (n: number, cost: number, listed: boolean): Planned => ({
    candidate: {
      conversationId: idOf(n),
      partition: 0,
      from: 0n,
      have: BigInt(n),
      seen: BigInt(n),
      upTo: 900n,
      listed,
      fresh: false,
      another: false,
      owedReset: null,
      digest: null,
    },
    state: cost > 0 ? 'behind' : 'same',
    above: BigInt(n),
    newest: cost,
    keep: cost,
    changed: false,
    half: false,
    more: false,
    cost,
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
    const plans = Array.from({ length: CARRIED_MAX + 200 }, (_, i) => planned(i, 100, true));
    const { served, left } = cutToBudget(plans);
    expect(left.length).toBeLessThanOrEqual(CARRIED_MAX);
    expect(served.length + left.length).toBe(CARRIED_MAX + 200);
    expect(served.reduce((sum, p) => sum + p.cost, 0)).toBeLessThanOrEqual(LIMITS.syncMessages);
    expect(served.filter((p) => p.keep === 1).every((p) => p.more)).toBe(true);
  });

  it('carries a reset that was left, until it is served', () => {
    const left: Planned = { ...planned(4, 5, true), state: 'reset' };
    const task = syncTask({ conversations: [] }, null);
    const others = { ids: [], complete: true };
    const owed = { prefix: idOf(4).slice(0, 8), have: 4n, reset: true };
    expect(continuationOf(task, [left], others)).toEqual({ carried: [owed], after: null });
    const candidate = { ...left.candidate, have: 0n, owedReset: 4n };
    expect(continuationOf(task, [{ ...left, candidate }], others)).toEqual({
      carried: [owed],
      after: null,
    });
  });

  it('tells the next part what is left', () => {
    const task = syncTask({ since: 's' }, { epoch: 1, next: [3n] });
    const others = { ids: [2, 4, 6].map(idOf), complete: true };
    expect(continuationOf(task, [], others)).toBeNull();
    expect(continuationOf(task, [], { ...others, complete: false })).toEqual({
      carried: [],
      after: idOf(6),
    });
    expect(continuationOf(task, [planned(4, 5, false), planned(6, 5, false)], others)).toEqual({
      carried: [],
      after: idOf(2),
    });
    // what costs nothing comes first, whatever its id
    expect(continuationOf(task, [planned(6, 0, false), planned(4, 5, false)], others)).toEqual({
      carried: [],
      after: idOf(2),
    });
    expect(continuationOf(task, [planned(2, 5, false)], others)).toEqual({
      carried: [],
      after: '',
    });
    expect(continuationOf(task, [planned(9, 5, true)], others)).toEqual({
      carried: [{ prefix: 'c0000009', have: 9n }],
      after: null,
    });
  });

  it('carries what is served by halves, and how far, whether it was listed or not', () => {
    const task = syncTask({ since: 's' }, { epoch: 1, next: [3n] });
    const others = { ids: [2, 4].map(idOf), complete: true };
    const half = (listed: boolean) => [{ candidate: planned(2, 400, listed).candidate, seen: 70n }];
    for (const listed of [false, true]) {
      expect(continuationOf(task, [], others, half(listed))).toEqual({
        carried: [{ prefix: 'c0000002', have: 2n, seen: 70n }],
        after: null,
      });
    }
    const returned = planned(6, 10, true);
    Object.assign(returned.candidate, { from: 50n, have: 50n, another: true });
    expect(continuationOf(task, [returned], others)?.carried).toEqual([
      { prefix: 'c0000006', have: 49n },
    ]);
    const waiting = { ...planned(5, 400, true), half: true };
    waiting.candidate.seen = 60n;
    expect(continuationOf(task, [waiting], others)?.carried).toEqual([
      { prefix: 'c0000005', have: 5n, seen: 60n },
    ]);
  });
});
