import {
  digestLines,
  isAlive,
  isMember,
  lastMessages,
  receiptsJson,
  unreadMessages,
} from '../conversations/conversation-views.sql';
import { keepsDigest, keepsUnread, keptUnread, readUpTo } from '../conversations/kept-state.sql';
import { membershipIn, membershipsOf } from '../conversations/memberships.sql';
import { PREFIX_CHARS } from '../domain/since';
import { PARTS } from '../domain/sync-bodies';
import { CHANGED_MAX } from '../domain/sync-plan';
import { messageBytes, messageJson } from '../messages/message.mapper';

const LISTED = `(m.conversation_id = ANY ($2) OR left(m.conversation_id, ${PREFIX_CHARS}) = ANY ($3))`;

/** The user's conversations ($1), with all that is told of those that are chosen. */
const MINE = `SELECT m.conversation_id, c.id, c.partition, m.user_id, m.from_position,
    m.until_position, m.pending, m.joined_position, c.created_position, c.last_position, c.last_at,
    m.delivered, m.read, m.unread, m.unread_position, m.unread_after, m.unread_until,
    c.digest, c.digest_position, c.digest_from, c.digest_since, c.digest_until, ${LISTED} AS listed
  FROM ${membershipsOf('$1')} m JOIN conversations c ON c.id = m.conversation_id`;

/** Of {@link MINE}: what is not in the log yet is not told of. */
const LOGGED = 'created_position IS NOT NULL';

/**
 * Of a row of {@link MINE}: the membership; and for members what is kept (null: not kept), whether
 * the kept digest held at the time for comparing, $4, too, and the marks as JSON text.
 */
const CHOSEN = `u.conversation_id, u.partition, u.from_position, u.until_position,
  u.pending AND u.from_position IS NOT NULL AS leaving, u.joined_position, u.created_position,
  u.last_position, u.listed,
  CASE WHEN ${keepsDigest('u', { from: 'u.from_position', at: 'now()' })} THEN u.digest END AS digest,
  ${keepsDigest('u', { from: 'u.from_position', at: '$4::timestamptz' })} AS compares,
  CASE WHEN ${keepsUnread('u', 'u')} THEN ${keptUnread('u', 'u')} END AS unread,
  CASE WHEN ${isMember('u')} THEN ${receiptsJson('u', 'u', '$1')} END AS receipts`;

/**
 * Those of {@link MINE} that are listed, and others of them, in an order. The first row, which is there
 * even without any, has what the read barrier is judged by, too: the next offset to apply in each
 * partition of the log ($5), and the partitions of all conversations that the user has not left. One
 * statement, because each is an exchange of its own when thousands connect at once.
 */
const chosen = (others: string, order: string): string => `WITH mine AS (${MINE}),
    known AS (SELECT
      (SELECT string_agg(next::text, ' ' ORDER BY partition) FROM log_progress WHERE topic = $5)
        AS applied,
      (SELECT string_agg(DISTINCT partition::text, ' ') FROM mine WHERE until_position IS NULL)
        AS partitions),
    chosen AS (SELECT row_number() OVER (ORDER BY ${order}) AS place, ${CHOSEN}
      FROM ((SELECT * FROM mine WHERE listed AND ${LOGGED}) UNION ALL (${others})) u)
  SELECT CASE WHEN u.place > 1 THEN NULL ELSE k.applied END AS applied,
      CASE WHEN u.place > 1 THEN NULL ELSE k.partitions END AS partitions, u.*
    FROM known k LEFT JOIN chosen u ON true ORDER BY u.place`;

/** Rows that {@link MEMBERSHIPS_SINCE} returns beside the listed ones; one more tells of others. */
export const UNLISTED_MAX = 300;

/**
 * $1 user, $2 ids, $3 prefixes, $4 time for comparing, $5 the log, $6 a position per partition, $7 id:
 * those listed, and those behind the id with an entry at or above their partition's position (null: none),
 * in order of their ids. Names no message: a statement over the partitions of `messages` costs a lot
 * before it reads its first row.
 */
export const MEMBERSHIPS_SINCE = {
  name: 'sync-memberships-since',
  text: chosen(
    `SELECT * FROM mine WHERE NOT listed AND ${LOGGED} AND $7::text IS NOT NULL
        AND conversation_id > $7::text COLLATE "C"
        AND last_position >= ($6::int8[])[partition + 1]
        AND (until_position IS NULL OR until_position >= ($6::int8[])[partition + 1])
      ORDER BY conversation_id LIMIT ${UNLISTED_MAX + 1}`,
    'u.conversation_id',
  ),
};

/**
 * $1 user, $2 ids, $3 prefixes, $4 time for comparing, $5 the log, $6 how many: those listed, and the
 * newest, newest first.
 */
export const MEMBERSHIPS_NEWEST = {
  name: 'sync-memberships-newest',
  text: chosen(
    `SELECT * FROM mine WHERE NOT listed AND ${LOGGED} AND from_position IS NOT NULL
        AND until_position IS NULL AND NOT pending
      ORDER BY last_at DESC, conversation_id DESC LIMIT $6`,
    'u.last_at DESC, u.conversation_id DESC',
  ),
};

/**
 * $1 user, $2 time for comparing, then aligned arrays: $3 ids, $4 from, $5 have, $6 up to,
 * $7 newest at most, $8 whether to compare, $9 changes served up to. Counts and digests of each, in
 * order. Where they are kept no message is read; what is counted comes with what there is to know for
 * keeping it.
 */
export const MEASURE = {
  name: 'sync-measure',
  text: `SELECT
      CASE WHEN k.even THEN 0 ELSE (SELECT count(*)::int FROM (SELECT 1 FROM messages x
        WHERE x.conversation_id = w.id AND x.position > w.have AND x.position <= w.up_to
          AND ${isAlive('x', 'now()')} LIMIT w.newest + 1) n) END AS above,
      CASE WHEN k.even THEN 0 ELSE (
        SELECT CASE WHEN sum(n.bytes) > ${PARTS.changed} THEN ${CHANGED_MAX + 1}
          ELSE count(*)::int END
        FROM (SELECT ${messageBytes('x')} AS bytes FROM messages x
          WHERE x.conversation_id = w.id AND x.version > 0 AND x.version > w.seen
            AND x.position > w.visible_from AND x.position <= w.have
            AND ${isAlive('x', 'now()')} LIMIT ${CHANGED_MAX + 1}) n) END AS changed,
      CASE WHEN w.compare AND k.even AND k.compares THEN c.digest END AS compared_digest,
      CASE WHEN w.compare AND NOT (k.even AND k.compares) THEN
        ${digestLines('w.id', { from: 'w.visible_from', upTo: 'w.have', at: '$2::timestamptz' })}
      END AS compared,
      CASE WHEN k.digest THEN c.digest END AS digest,
      CASE WHEN k.digest THEN NULL WHEN tail.whole THEN tail.lines
        ELSE ${digestLines('w.id', { from: 'w.visible_from', upTo: 'w.up_to', at: 'now()' })}
      END AS lines,
      CASE WHEN tail.whole THEN tail.oldest END AS digest_from,
      now() + interval '1 millisecond' AS digest_since, tail.expiry AS digest_until,
      CASE WHEN k.unread THEN ${keptUnread('m', 'c')} ELSE fresh.unread END AS unread,
      CASE WHEN NOT k.unread THEN ${readUpTo('m')} END AS unread_after,
      fresh.expiry AS unread_until
    FROM unnest($3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int[], $8::boolean[],
        $9::int8[])
      WITH ORDINALITY AS w (id, visible_from, have, up_to, newest, compare, seen, n)
    JOIN conversations c ON c.id = w.id
    CROSS JOIN LATERAL ${membershipIn('w.id', '$1')} m
    CROSS JOIN LATERAL (SELECT w.have >= w.up_to AS even,
      ${keepsDigest('c', { from: 'w.visible_from', at: 'now()' })} AS digest,
      ${keepsDigest('c', { from: 'w.visible_from', at: '$2::timestamptz' })} AS compares,
      ${keepsUnread('m', 'c')} AS unread) k
    CROSS JOIN LATERAL ${lastMessages('w.id', {
      from: 'w.visible_from',
      upTo: 'w.up_to',
      wanted: 'NOT k.digest',
    })} tail
    CROSS JOIN LATERAL ${unreadMessages('m', { upTo: 'w.up_to', wanted: 'NOT k.unread' })} fresh
    WHERE ${isMember('m')} ORDER BY w.n`,
};

const WANTED = `unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int[], $6::boolean[],
    $7::int8[]) WITH ORDINALITY AS w (id, visible_from, above, up_to, newest, changed, seen, n)`;

const newestOfEach = (columns = 'x.*'): string => `(SELECT ${columns} FROM messages x
        WHERE x.conversation_id = w.id AND x.position > w.above AND x.position <= w.up_to
          AND ${isAlive('x', 'now()')} ORDER BY x.position DESC LIMIT w.newest)`;

/** Between the messages of a conversation: no JSON text has it (RFC 8259, section 7). */
export const SEPARATOR = '\u001e';

/**
 * Aligned arrays: $1 ids, $2 from, $3 above, $4 up to, $5 newest at most, $6 whether changed ones,
 * too, $7 changes served up to. Messages of all, ascending in each; `n` tells whose, `fresh` whether
 * it is a new one. Of changed ones those changed first, as far as they fit, the very first in any case:
 * one that is changed again meanwhile comes again, behind the others.
 */
export const MESSAGES = {
  name: 'sync-messages',
  text: `SELECT w.n::int AS n, x.position > w.above AS fresh, x.version, ${messageJson('x')} AS text
    FROM ${WANTED} CROSS JOIN LATERAL (
      ${newestOfEach('x.*, 0 AS bytes, 0 AS bytes_up_to')}
      UNION ALL
      (SELECT * FROM (SELECT x.*, sum(x.bytes) OVER (ORDER BY x.version ROWS UNBOUNDED PRECEDING)
          FROM (SELECT x.*, ${messageBytes('x')} AS bytes FROM messages x
            WHERE w.changed AND x.conversation_id = w.id AND x.version > 0 AND x.version > w.seen
              AND x.position > w.visible_from AND x.position <= w.above
              AND ${isAlive('x', 'now()')} ORDER BY x.version LIMIT ${CHANGED_MAX}) x
        ) x WHERE x.sum <= ${PARTS.changed} OR x.sum = x.bytes)
    ) x ORDER BY w.n, x.position`,
};

/**
 * {@link MESSAGES} without changed ones, those of a conversation in one text: rows of columns would
 * be ten values to parse for each message, and half of what the other costs is its preparation.
 */
export const MESSAGES_NEWEST = {
  name: 'sync-messages-newest',
  text: `SELECT w.n::int AS n, t.texts FROM ${WANTED} CROSS JOIN LATERAL (
      SELECT string_agg(${messageJson('x')}, chr(${SEPARATOR.codePointAt(0)}) ORDER BY x.position)
        AS texts FROM ${newestOfEach()} x) t
    WHERE t.texts IS NOT NULL ORDER BY w.n`,
};
