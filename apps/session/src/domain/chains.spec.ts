import fc from 'fast-check';
import { Chains } from './chains';
import { Generations } from './generations';

describe('Chains', () => {
  it('knows what was read, and its floor otherwise', () => {
    const chains = new Chains(100n);
    expect([chains.get('a'), chains.floor]).toEqual([undefined, 100n]);
    chains.set('a', 120n);
    expect([chains.get('a'), chains.floor]).toEqual([120n, 100n]);
  });

  it('never forgets a conversation without raising its floor above it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 12 }),
        fc.array(fc.record({ id: fc.nat({ max: 20 }), look: fc.boolean() }), { maxLength: 200 }),
        (capacity, steps) => {
          const chains = new Chains(1_000n, capacity);
          const truth = new Map<number, bigint>();
          let position = 1_000n;
          for (const { id, look } of steps) {
            const last = truth.get(id);
            if (!look) {
              truth.set(id, position);
              chains.set(String(id), position);
              position += 1n;
              continue;
            }
            const found = chains.get(String(id));
            if (found !== undefined) expect(found).toBe(last);
            else if (last !== undefined) expect(last < chains.floor).toBe(true);
            expect(chains.floor <= position).toBe(true);
          }
        },
      ),
    );
  });
});

describe('Generations', () => {
  it('keeps what is used and stays bounded', () => {
    const map = new Generations<number, number>(10);
    for (let n = 1; n < 1_000; n++) {
      map.set(n, n);
      expect(map.get(1)).toBe(1);
      expect(map.size).toBeLessThanOrEqual(10);
    }
    expect(map.get(2)).toBeUndefined();
    map.delete(1);
    expect(map.get(1)).toBeUndefined();
  });
});
