import fc from 'fast-check';
import { BASE, editAt, messageAt } from '../../test/entries';
import { stateOf, takeIn } from '../../test/window-states';
import type { LogEntry } from './entry';
import { fillFrom } from './window-fill';
import { decodeSegment, encodeSegment, type WindowSegment } from './window-segment';

const RECORDS = 60;

/** Messages with few ids in few conversations, so that many are repetitions, edits and deletions. */
const log = fc.array(
  fc.record({
    kind: fc.constantFrom('message', 'message', 'edit', 'deletion'),
    talk: fc.constantFrom('c', 'd', 'e'),
    id: fc.nat({ max: 14 }),
  }),
  { minLength: 1, maxLength: RECORDS },
);
const places = fc.array(fc.tuple(fc.nat(RECORDS), fc.nat(RECORDS)), { maxLength: 12 });

const entriesOf = (records: { kind: string; talk: string; id: number }[]): LogEntry[] =>
  records.map(({ kind, talk, id }, offset) => {
    if (kind === 'message') return messageAt(offset, { talk, id });
    return editAt(offset, id, { talk, change: id, text: kind === 'edit' ? 'better' : null });
  });

describe('a window that is filled with copies', () => {
  it('decides as one that was read from the log, whatever copies there are', () => {
    fc.assert(
      fc.property(log, places, fc.nat(RECORDS), fc.nat(RECORDS), (records, cuts, low, live) => {
        const entries = entriesOf(records);
        const end = entries.length;
        const liveFrom = BigInt(Math.min(live, end));
        const start = BigInt(Math.min(low, Number(liveFrom)));
        const predecessor = stateOf(entries);
        const segments = cuts.map(([one, other]): WindowSegment => {
          const [from, next] = [Math.min(one, other, end), Math.min(Math.max(one, other), end)];
          const run = predecessor.recentIds.run(BASE + BigInt(from), BASE + BigInt(next));
          const segment = { from: BigInt(from), next: BigInt(next), run };
          return decodeSegment(encodeSegment(segment))!;
        });
        // two minutes back the predecessor knew no more than what is read from the start
        const read = stateOf(entries.slice(0, Number(start)));
        const filled = stateOf(entries.slice(0, Number(start)));
        for (const state of [read, filled]) Object.assign(state, { liveFrom });
        fillFrom(filled, segments);
        expect(filled.next).toBeLessThanOrEqual(liveFrom > start ? liveFrom : start);
        const rest = (state: typeof read) => takeIn(state, entries);
        expect(rest(filled)).toEqual(rest(read));
        const known = (state: typeof read) => [
          ...['c', 'd', 'e'].map((talk) => state.chains.get(talk)),
          state.recentIds.size,
        ];
        expect(known(filled)).toEqual(known(read));
      }),
      { numRuns: 500 },
    );
  });
});
