import { EVERYONE_ID } from '@tidings/protocol/ids';

/**
 * What syncs counted is kept: the plain digest (of the conversation's own last messages) beside the
 * conversation, unread beside the member. Each names the last position that it was counted at;
 * whatever is applied raises that, so nothing has to be cleared, and writing a message costs no more.
 */

/**
 * Scalar: whether the kept digest is the one of a member who sees what is above `from`, at an SQL
 * time: from when it was computed until the first of its messages expires.
 */
export function keepsDigest(c: string, { from, at }: { from: string; at: string }): string {
  return `(${c}.digest_position = ${c}.last_position AND ${c}.digest_from > ${from}
    AND ${c}.digest_since <= ${at}
    AND (${c}.digest_until IS NULL OR ${c}.digest_until > GREATEST(${at}, now()))) IS TRUE`;
}

/** Scalar: above which position messages of others are unread to a member. */
export function readUpTo(m: string): string {
  return `GREATEST(${m}.read, ${m}.from_position)`;
}

/** Scalar: whether the member's kept unread count holds now, or there is nothing to count. */
export function keepsUnread(m: string, c: string): string {
  return `(${readUpTo(m)} >= ${c}.last_position OR ((${m}.unread_position = ${c}.last_position
    AND ${m}.unread_after = ${readUpTo(m)}
    AND (${m}.unread_until IS NULL OR ${m}.unread_until > now())) IS TRUE))`;
}

/** Scalar: the kept unread count, where {@link keepsUnread}. */
export function keptUnread(m: string, c: string): string {
  return `CASE WHEN ${readUpTo(m)} >= ${c}.last_position THEN 0 ELSE ${m}.unread END`;
}

const DIGESTS = `WITH w AS (SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::int8[],
        $5::timestamptz[], $6::timestamptz[]) AS w (id, position, digest, oldest, since, expiry)),
      free AS (SELECT c.id FROM conversations c JOIN w ON w.id = c.id
        WHERE c.last_position = w.position
          AND (c.digest_position IS DISTINCT FROM w.position OR c.digest <> w.digest)
        FOR NO KEY UPDATE OF c SKIP LOCKED)
    UPDATE conversations c SET digest = w.digest, digest_position = w.position,
        digest_from = w.oldest, digest_since = w.since, digest_until = w.expiry
      FROM w JOIN free ON free.id = w.id WHERE c.id = w.id AND c.last_position = w.position`;

const COUNTED = `SELECT * FROM unnest($7::text[], $8::uuid[], $9::int8[], $10::int8[],
        $11::int[], $12::timestamptz[]) AS w (id, user_id, position, above, unread, expiry)`;

const UNREAD = `WITH w AS (${COUNTED}),
      free AS (SELECT m.conversation_id, m.user_id FROM members m
        JOIN w ON w.id = m.conversation_id AND w.user_id = m.user_id
        WHERE ${readUpTo('m')} = w.above FOR NO KEY UPDATE OF m SKIP LOCKED)
    UPDATE members m SET unread = w.unread, unread_position = w.position,
        unread_after = w.above, unread_until = w.expiry
      FROM w JOIN free ON free.conversation_id = w.id AND free.user_id = w.user_id
      WHERE m.conversation_id = w.id AND m.user_id = w.user_id AND ${readUpTo('m')} = w.above`;

/** The same in the conversation of everybody, of those who have marks there. */
const UNREAD_OF_EVERYBODY = `WITH w AS (${COUNTED}),
      free AS (SELECT e.user_id FROM everyone_marks e JOIN w ON w.user_id = e.user_id
        WHERE w.id = '${EVERYONE_ID}' AND e.read <= w.above FOR NO KEY UPDATE OF e SKIP LOCKED)
    UPDATE everyone_marks e SET unread = w.unread, unread_position = w.position,
        unread_after = w.above, unread_until = w.expiry
      FROM w JOIN free ON free.user_id = w.user_id
      WHERE w.id = '${EVERYONE_ID}' AND e.user_id = w.user_id AND e.read <= w.above`;

/**
 * Aligned arrays of digests: $1 conversations, $2 last positions that were counted at, $3 digests, $4
 * their oldest positions, $5 since when and $6 until when they hold; and of what is unread: $7
 * conversations, $8 users, $9 last positions that were counted at, $10 the marks above which was
 * counted, $11 unread, $12 their first expiries. Rows that are locked, or have moved on, are left out, and
 * the end of its transaction does not wait for the disk: this never waits for anybody, and what is
 * left out is counted again.
 */
export const KEEP = {
  name: 'keep-counted',
  text: `WITH digests AS (${DIGESTS}), unread AS (${UNREAD}), everybody AS (${UNREAD_OF_EVERYBODY})
    SELECT set_config('synchronous_commit', 'off', true)`,
};
