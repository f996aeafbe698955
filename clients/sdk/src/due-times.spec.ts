import fc from 'fast-check';
import { DueTimes } from './due-times';

describe('due times', () => {
  it('are taken in order, each key once and at its last time', () => {
    const due = new DueTimes<string>();
    due.set('a', 30, 'a');
    due.set('b', 10, 'b');
    due.set('c', 20, 'c');
    due.set('a', 5, 'a again');
    due.set('c', 20, 'the same');
    due.delete('b');
    due.delete('unknown');
    expect(due.next()).toBe(5);
    expect(due.take(4)).toEqual([]);
    expect(due.take(20)).toEqual(['a again', 'c']);
    expect(due.next()).toBeNull();
  });

  it('are those of a plain list, whatever happens', () => {
    const key = fc.integer({ min: 0, max: 20 });
    const at = fc.integer({ min: 0, max: 100 });
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), key, at }),
      fc.record({ do: fc.constant('delete' as const), key, at }),
      fc.record({ do: fc.constant('take' as const), key, at }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const due = new DueTimes<number>();
        const model = new Map<number, number>();
        for (const one of steps) {
          if (one.do === 'set') due.set(String(one.key), one.at, one.key);
          if (one.do === 'set') model.set(one.key, one.at);
          if (one.do === 'delete') due.delete(String(one.key));
          if (one.do === 'delete') model.delete(one.key);
          if (one.do !== 'take') continue;
          const expected = [...model].filter(([, time]) => time <= one.at);
          const taken = due.take(one.at);
          expect(taken.map((k) => model.get(k))).toEqual(
            expected.map(([, time]) => time).sort((a, b) => a - b),
          );
          expect([...taken].sort()).toEqual(expected.map(([k]) => k).sort());
          for (const k of taken) model.delete(k);
          expect(due.next()).toBe(model.size === 0 ? null : Math.min(...model.values()));
        }
      }),
    );
  });

  it('hold no more than a few outdated entries', () => {
    const due = new DueTimes<number>();
    for (let n = 0; n < 100_000; n++) due.set('one', n, n);
    expect((due as unknown as { heap: unknown[] }).heap.length).toBeLessThan(2_000);
    expect(due.take(Infinity)).toEqual([99_999]);
  });
});
