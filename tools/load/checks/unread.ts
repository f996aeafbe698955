import { comparePositions } from '@tidings/protocol/positions';
import { ToldMarks } from './receipts';
import type { RunRecord } from './run-record';
import type { Violations } from './violations';

/** What ends within so much of the moment of asking may be counted or not, nanoseconds. */
const EDGE_NS = 2e9;

/**
 * I9: at rest everybody is told of just as many unread messages as there are: of others, above his mark,
 * visible to him, not deleted and not over.
 */
export function checkUnread(record: RunRecord, violations: Violations): void {
  const marks = new ToldMarks(record.events);
  const pages = new Map(record.pagesAtRest().map((page) => [`${page.u} ${page.c}`, page]));
  for (const { k, f, u = '', d, c = '', n = 0, t, i } of record.events) {
    if (k !== 'obs' || f !== 'unread' || t < record.restAt) continue;
    const page = pages.get(`${u} ${c}`);
    if (!page) continue;
    const read = marks.read(u, c);
    const unread = page.m.filter(
      ({ u: sender, seq, v }) => sender !== u && v !== null && comparePositions(seq, read) > 0,
    );
    const least = unread.filter(({ e = Infinity }) => e > t + EDGE_NS).length;
    const most = unread.filter(({ e = Infinity }) => e > t - EDGE_NS).length;
    if (n >= least && n <= most) continue;
    const what = `${d} is told of ${n} unread messages in ${c} above ${read}; there are ${least}`;
    violations.add('unread_wrong', what, [page.i, i]);
  }
}
