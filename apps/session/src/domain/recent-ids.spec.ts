import fc from 'fast-check';
import { RecentIds, type SeenId } from './recent-ids';

const seen = (key: string, position: number, recordedAtMs: number): SeenId => ({
  key,
  position: BigInt(position),
  senderId: 's',
  contentHash: '',
  recordedAtMs,
  later: null,
});

describe('RecentIds', () => {
  it.each([
    ['now', 0, true],
    ['inside the window', 120_000, true],
    ['one millisecond outside', 120_001, false],
  ])('%s', (_name, later, held) => {
    const ids = new RecentIds();
    ids.add(seen('a', 1, 1_000));
    ids.add(seen('b', 2, 1_000 + later));
    expect(ids.get('a') !== undefined).toBe(held);
    expect(ids.get('b')).toMatchObject({ position: 2n });
  });

  it('keeps the newest records when there are too many', () => {
    const ids = new RecentIds(1_000, 3);
    for (let n = 0; n < 5; n++) ids.add(seen(String(n), n, 0));
    expect([0, 1, 2, 3, 4].map((n) => ids.get(String(n)) !== undefined)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(ids.size).toBe(3);
  });

  it('keeps the first record of an id', () => {
    const ids = new RecentIds();
    ids.add(seen('a', 1, 0));
    ids.add(seen('a', 2, 1));
    expect(ids.get('a')!.position).toBe(1n);
    expect(ids.size).toBe(1);
  });

  it('forgets everything old at once after a silence, and starts anew', () => {
    const ids = new RecentIds(10);
    for (let n = 0; n < 100; n++) ids.add(seen(String(n), n, 0));
    ids.add(seen('x', 100, 11));
    expect(ids.size).toBe(1);
    ids.add(seen('y', 101, 12));
    expect(ids.size).toBe(2);
  });

  it('is the plain definition, for any times', () => {
    const record = fc.record({ id: fc.integer({ min: 0, max: 20 }), step: fc.nat({ max: 8 }) });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 80 }), (records) => {
        const ids = new RecentIds(20, 6);
        let plain: { id: number; position: bigint; at: number }[] = [];
        let at = 0;
        records.forEach(({ id, step }, position) => {
          at += step;
          ids.add(seen(String(id), position, at));
          if (!plain.some((p) => p.id === id)) plain.push({ id, position: BigInt(position), at });
          const newest = Math.max(...plain.map((p) => p.at));
          plain = plain.slice(-6).filter((p) => p.at >= newest - 20);
          for (let i = 0; i <= 20; i++) {
            const expected = plain.find((p) => p.id === i)?.position;
            expect(ids.get(String(i))?.position).toBe(expected);
          }
        });
      }),
    );
  });
});
