import fc from 'fast-check';
import { IdWindow, type WindowEntry } from './id-window';

const uuid = (n: number): string => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;

const entry = (given: Partial<WindowEntry> = {}): WindowEntry => ({
  author: uuid(1),
  hash: 'abc',
  position: 1n,
  atMs: 0,
  ...given,
});

const ALL = ['a', 'b', 'c'].flatMap((name) =>
  Array.from({ length: 13 }, (_, n) => [name, n] as const),
);

describe('IdWindow', () => {
  it('keeps all that is said of an id', () => {
    const window = new IdWindow({ windowMs: 10, records: 10 });
    const position = 2n ** 62n + 1n;
    window.add('c', uuid(7), entry({ author: uuid(2), position, atMs: 5, tag: 1.5e12 }));
    const slot = window.find('c', uuid(7));
    expect([window.position(slot), window.atMs(slot), window.tag(slot)]).toEqual([
      position,
      5,
      1.5e12,
    ]);
    expect(window.isSame(slot, { author: uuid(2), hash: 'abc' })).toBe(true);
    expect(window.isSame(slot, { author: uuid(2), hash: 'abd' })).toBe(false);
    expect(window.isSame(slot, { author: uuid(2), hash: '' })).toBe(false);
    expect(window.isSame(slot, { author: uuid(3), hash: 'abc' })).toBe(false);
    expect(window.find('d', uuid(7))).toBe(-1);
    expect(window.find('c', uuid(8))).toBe(-1);
  });

  it('tells contents apart until the end of an entry, authors for good', () => {
    const window = new IdWindow({ windowMs: 10, records: 1_000 });
    window.add('c', uuid(7), entry({ endsAtMs: 100 }));
    for (let n = 8; n < 600; n++) window.add('c', uuid(n), entry());
    const same = (id: number, other: Partial<WindowEntry>, nowMs?: number) =>
      window.isSame(window.find('c', uuid(id)), entry(other), nowMs);
    expect([same(7, { hash: 'x' }), same(7, { hash: 'x' }, 99)]).toEqual([false, false]);
    expect([same(7, { hash: 'x' }, 100), same(7, { author: uuid(2) }, 100)]).toEqual([true, false]);
    expect(same(8, { hash: 'x' }, 100)).toBe(false);
  });

  it('hands over a run of entries, and takes one in as if they were added', () => {
    const [limits, scopes] = [{ windowMs: 10, records: 100 }, ['a', 'b', 'a', 'c', 'b', 'a']];
    const [from, into] = [new IdWindow({ ...limits, records: 5 }), new IdWindow(limits)];
    scopes.forEach((scope, n) => {
      from.add(scope, uuid(n), entry({ author: uuid(n + 20), position: BigInt(n * 10), atMs: n }));
    });
    into.add('b', uuid(4), entry({ position: 5n }));
    const run = from.run(20n, 50n);
    expect([run.scopes, [...run.positions], [...run.times]]).toEqual([
      ['a', 'c', 'b'],
      [20n, 30n, 40n],
      [2, 3, 4],
    ]);
    into.addRun(run);
    const held = scopes.map((scope, n) => {
      const slot = into.find(scope, uuid(n));
      return slot < 0
        ? null
        : [into.position(slot), into.isSame(slot, entry({ author: uuid(n + 20) }))];
    });
    expect(held).toEqual([null, null, [20n, true], [30n, true], [5n, false], null]);
    expect(from.run(60n, 90n).positions).toHaveLength(0);
    // the first has left its window for its number
    expect([...from.run(0n, 20n).positions]).toEqual([10n]);
  });

  it('keeps the first of an id', () => {
    const window = new IdWindow({ windowMs: 10, records: 10 });
    window.add('c', uuid(1), entry({ position: 1n }));
    window.add('c', uuid(1), entry({ position: 2n }));
    expect([window.size, window.position(window.find('c', uuid(1)))]).toEqual([1, 1n]);
  });

  it('forgets everything old after a silence', () => {
    const window = new IdWindow({ windowMs: 10, records: 1_000 });
    for (let n = 0; n < 600; n++) window.add(`c${n % 7}`, uuid(n), entry());
    window.add('x', uuid(1), entry({ atMs: 11 }));
    expect(window.size).toBe(1);
    expect(window.find('x', uuid(1))).toBeGreaterThanOrEqual(0);
    expect(window.find('c1', uuid(1))).toBe(-1);
  });

  it.each([
    ['upper case', '01890A5D-AC96-774B-BCCE-000000000001'],
    ['too short', '01890a5d-ac96-774b-bcce-00000000000'],
    ['a letter', '01890a5d-ac96-774b-bcce-00000000000g'],
    ['no dash', '01890a5d0ac96-774b-bcce-000000000001'],
    ['a letter beyond ASCII', '01890a5d-ac96-774b-bcce-00000000000\u0161'],
  ])('refuses what is no UUID: %s', (_name, id) => {
    const window = new IdWindow({ windowMs: 10, records: 10 });
    window.add('c', uuid(1), entry());
    expect(() => window.find('c', id)).toThrow(RangeError);
    expect(() => window.add('c', uuid(2), entry({ author: id }))).toThrow(RangeError);
    expect(window.size).toBe(1);
    expect(window.find('c', uuid(2))).toBe(-1);
  });

  it('holds 100 000 ids in less than 12 MB', () => {
    const window = new IdWindow({ windowMs: 10, records: 100_000 });
    for (let n = 0; n < 150_000; n++) window.add(`c${n % 500}`, uuid(n), entry());
    expect(window.size).toBe(100_000);
    expect(window.bytes).toBeLessThan(12_000_000);
    expect(window.find('c499', uuid(49_999))).toBe(-1);
    expect(window.find('c0', uuid(50_000))).toBeGreaterThanOrEqual(0);
  });

  it('is the plain definition, for any ids, scopes and times', () => {
    const added = fc.record({
      id: fc.nat({ max: 12 }),
      scope: fc.constantFrom('a', 'b', 'c'),
      step: fc.integer({ min: -3, max: 8 }),
    });
    const limits = fc.record({
      windowMs: fc.nat({ max: 30 }),
      records: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(limits, fc.array(added, { maxLength: 120 }), (bounds, all) => {
        const window = new IdWindow(bounds);
        let plain: { key: string; position: bigint; at: number }[] = [];
        let [at, newest] = [0, 0];
        all.forEach(({ id, scope, step }, index) => {
          at += step;
          const key = `${scope}${id}`;
          window.add(scope, uuid(id), entry({ position: BigInt(index), atMs: at }));
          if (plain.every((one) => one.key !== key)) {
            newest = index === 0 ? at : Math.max(newest, at);
            plain = [...plain.slice(plain.length === bounds.records ? 1 : 0)];
            plain.push({ key, position: BigInt(index), at });
            while (plain.length > 0 && plain[0]!.at < newest - bounds.windowMs) plain.shift();
          }
          expect(window.size).toBe(plain.length);
          const found = ALL.map(([name, n]) => {
            const slot = window.find(name, uuid(n));
            return slot < 0 ? undefined : window.position(slot);
          });
          expect(found).toEqual(
            ALL.map(([name, n]) => plain.find((one) => one.key === `${name}${n}`)?.position),
          );
        });
      }),
      { numRuns: 150 },
    );
  });
});
