import fc from 'fast-check';
import { Spans } from './spans';

describe('complete stretches', () => {
  it('joins what touches and keeps apart what does not', () => {
    const spans = new Spans();
    spans.add('10', '20');
    spans.add('30', '40');
    expect(spans.all()).toEqual([
      { from: '10', to: '20' },
      { from: '30', to: '40' },
    ]);
    spans.add('20', '30');
    expect(spans.all()).toEqual([{ from: '10', to: '40' }]);
    expect(spans.have).toBe('40');
  });

  it('forgets below a position', () => {
    const spans = new Spans();
    spans.add('10', '20');
    spans.add('30', '40');
    spans.forgetBelow('35');
    expect(spans.all()).toEqual([{ from: '35', to: '40' }]);
  });

  it('covers exactly the union of what was added', () => {
    const stretch = fc.tuple(fc.nat(50), fc.nat(12)).map(([from, n]) => [from, from + n] as const);
    fc.assert(
      fc.property(fc.array(stretch, { maxLength: 12 }), (stretches) => {
        const spans = new Spans();
        for (const [from, to] of stretches) spans.add(String(from), String(to));
        for (let p = 0; p <= 70; p++) {
          const expected = stretches.some(([from, to]) => from <= p && p <= to);
          expect(spans.covers(String(p))).toBe(expected);
        }
        const all = spans.all();
        for (let i = 1; i < all.length; i++) {
          expect(Number(all[i]!.from)).toBeGreaterThan(Number(all[i - 1]!.to));
        }
      }),
    );
  });
});
