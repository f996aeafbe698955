import { LIMITS } from '@tidings/protocol/limits';

/** Room in an answer for what stands beside the items: brackets, `more` or `cursor`. */
const PAGE_ROOM = 2 * 1024;
/** Bytes of the items of one page. */
const PAGE_BYTES = LIMITS.answerBytes - PAGE_ROOM;

/**
 * SQL: the first rows of a page that fit into an answer together ({@link PAGE_BYTES}), the very first
 * in any case, in their order. What is beyond is not read. Each row has `found`: how many rows `page`
 * has. `order`: columns of `page`, unique together; `bytes`: SQL scalar over a row `p` of it, how long
 * its item is as JSON, at most.
 */
export function pageWithin(
  page: string,
  { order, bytes }: { order: string; bytes: string },
): string {
  const until = `(ORDER BY ${order} ROWS UNBOUNDED PRECEDING)`;
  return `SELECT * FROM (SELECT s.*, sum(s.item_bytes) OVER ${until} AS page_bytes,
      (count(*) OVER ())::int AS found
    FROM (SELECT p.*, ${bytes} AS item_bytes FROM (${page}) p) s) t
    WHERE t.page_bytes <= ${PAGE_BYTES} OR t.page_bytes = t.item_bytes ORDER BY ${order}`;
}
