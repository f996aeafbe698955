import fc from 'fast-check';
import { comparePositions } from './positions';
import { coversMarks, mergeMarks, NO_MARKS, type Marks } from './receipt-marks';

const position = fc.bigInt({ min: 0n, max: 9223372036854775807n }).map(String);
const marks = fc.record(
  { delivered: position, read: position },
  { requiredKeys: [] },
) as fc.Arbitrary<Partial<Marks>>;

describe('watermarks', () => {
  it('end alike in whatever order, grouping and repetition they come', () => {
    const samples = fc.array(marks, { minLength: 1, maxLength: 12 }).chain((all) =>
      fc.record({
        all: fc.constant(all),
        shuffled: fc.shuffledSubarray(all, { minLength: all.length }),
        again: fc.subarray(all),
        cut: fc.nat(all.length),
      }),
    );
    fc.assert(
      fc.property(samples, ({ all, shuffled, again, cut }) => {
        const whole = all.reduce<Marks>(mergeMarks, NO_MARKS);
        const fold = (some: Partial<Marks>[]): Marks => some.reduce<Marks>(mergeMarks, NO_MARKS);
        expect(fold([...shuffled, ...again])).toEqual(whole);
        expect(mergeMarks(fold(all.slice(0, cut)), fold(all.slice(cut)))).toEqual(whole);
      }),
    );
  });

  it('never fall, and read is never above delivered', () => {
    fc.assert(
      fc.property(fc.array(marks, { maxLength: 20 }), (all) => {
        let held = NO_MARKS;
        for (const next of all) {
          const raised = mergeMarks(held, next);
          expect(comparePositions(raised.delivered, held.delivered)).toBeGreaterThanOrEqual(0);
          expect(comparePositions(raised.read, held.read)).toBeGreaterThanOrEqual(0);
          expect(comparePositions(raised.delivered, raised.read)).toBeGreaterThanOrEqual(0);
          expect(coversMarks(raised, next)).toBe(true);
          held = raised;
        }
      }),
    );
  });

  it.each([
    [{ delivered: '9', read: '9' }, { read: '10' }, false],
    [{ delivered: '10', read: '9' }, { delivered: '9' }, true],
    [{ delivered: '10', read: '9' }, { delivered: '11' }, false],
    [{ delivered: '10', read: '10' }, {}, true],
  ])('%j covers %j: %s', (known, next, expected) => {
    expect(coversMarks(known, next)).toBe(expected);
  });
});
