import {
  deliveredMark,
  digestLines,
  isAlive,
  isMember,
  membersJson,
  unreadCount,
} from '../conversations/conversation-views.sql';
import { PREFIX_CHARS } from '../domain/since';
import { CHANGED_MAX } from '../domain/sync-plan';
import { messageColumns } from '../messages/message.mapper';

/** $1 user: the partitions of the user's conversations. */
export const USER_PARTITIONS = {
  name: 'sync-partitions',
  text: `SELECT DISTINCT c.partition FROM members m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.user_id = $1 AND m.until_position IS NULL`,
};

const MEMBERSHIP = `m.conversation_id, c.partition, m.from_position, m.until_position,
  m.pending AND m.from_position IS NOT NULL AS leaving, m.joined_position,
  c.created_position, c.last_position`;

const LISTED = `(m.conversation_id = ANY ($2) OR left(m.conversation_id, ${PREFIX_CHARS}) = ANY ($3))`;

/** Rows that {@link MEMBERSHIPS_SINCE} returns beside the listed ones; one more tells of others. */
export const UNLISTED_MAX = 300;

/**
 * $1 user, $2 ids, $3 prefixes, $4 a position per partition, $5 id: those listed, and those behind
 * the id with an entry at or above their partition's position (null: none), in order of their ids.
 */
export const MEMBERSHIPS_SINCE = {
  name: 'sync-memberships-since',
  text: `WITH mine AS (
      SELECT ${MEMBERSHIP}, ${LISTED} AS listed
      FROM members m JOIN conversations c ON c.id = m.conversation_id
      WHERE m.user_id = $1 AND c.created_position IS NOT NULL)
    (SELECT * FROM mine WHERE listed)
    UNION ALL
    (SELECT * FROM mine WHERE NOT listed AND $5::text IS NOT NULL
        AND conversation_id > $5::text COLLATE "C"
        AND last_position >= ($4::int8[])[partition + 1]
        AND (until_position IS NULL OR until_position >= ($4::int8[])[partition + 1])
      ORDER BY conversation_id LIMIT ${UNLISTED_MAX + 1})
    ORDER BY conversation_id`,
};

/** $1 user, $2 ids, $3 prefixes, $4 how many: those listed, and the newest, newest first. */
export const MEMBERSHIPS_NEWEST = {
  name: 'sync-memberships-newest',
  text: `WITH mine AS (
      SELECT ${MEMBERSHIP}, ${LISTED} AS listed, c.last_at
      FROM members m JOIN conversations c ON c.id = m.conversation_id
      WHERE m.user_id = $1 AND c.created_position IS NOT NULL)
    (SELECT * FROM mine WHERE listed)
    UNION ALL
    (SELECT * FROM mine WHERE NOT listed AND from_position IS NOT NULL AND until_position IS NULL
        AND NOT leaving
      ORDER BY last_at DESC, conversation_id DESC LIMIT $4)
    ORDER BY last_at DESC, conversation_id DESC`,
};

/**
 * $1 user, $2 time for comparing, then aligned arrays: $3 ids, $4 from, $5 have, $6 up to,
 * $7 newest at most, $8 whether to compare, $9 changes served up to. Counts and digests of each, in order.
 */
export const MEASURE = {
  name: 'sync-measure',
  text: `SELECT
      (SELECT count(*)::int FROM (SELECT 1 FROM messages x
        WHERE x.conversation_id = w.id AND x.position > w.have AND x.position <= w.up_to
          AND ${isAlive('x', 'now()')} LIMIT w.newest + 1) n) AS above,
      (SELECT count(*)::int FROM (SELECT 1 FROM messages x
        WHERE x.conversation_id = w.id AND x.version > 0 AND x.version > w.seen
          AND x.position > w.visible_from AND x.position <= w.have
          AND ${isAlive('x', 'now()')} LIMIT ${CHANGED_MAX + 1}) n) AS changed,
      CASE WHEN w.compare THEN
        ${digestLines('w.id', { from: 'w.visible_from', upTo: 'w.have', at: '$2::timestamptz' })}
      END AS compared,
      ${digestLines('w.id', { from: 'w.visible_from', upTo: 'w.up_to', at: 'now()' })} AS lines,
      ${unreadCount('m', 'w.up_to')} AS unread,
      ${membersJson('c', 'm')} AS members,
      json_build_object('userId', m.user_id, 'delivered', ${deliveredMark('m', 'c')},
        'read', LEAST(m.read, c.last_position)::text) AS own
    FROM unnest($3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int[], $8::boolean[],
        $9::int8[])
      WITH ORDINALITY AS w (id, visible_from, have, up_to, newest, compare, seen, n)
    JOIN conversations c ON c.id = w.id
    JOIN members m ON m.conversation_id = w.id AND m.user_id = $1 AND ${isMember('m')}
    ORDER BY w.n`,
};

/**
 * Aligned arrays: $1 ids, $2 from, $3 above, $4 up to, $5 newest at most, $6 whether changed ones,
 * too, $7 changes served up to. Messages of all, ascending in each; `n` tells whose. Of changed ones
 * those changed first: one that is changed again meanwhile comes again, behind the others.
 */
export const MESSAGES = {
  name: 'sync-messages',
  text: `SELECT w.n::int AS n, x.* FROM
      unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int[], $6::boolean[],
        $7::int8[])
        WITH ORDINALITY AS w (id, visible_from, above, up_to, newest, changed, seen, n)
    CROSS JOIN LATERAL (
      (SELECT ${messageColumns('x')} FROM messages x
        WHERE x.conversation_id = w.id AND x.position > w.above AND x.position <= w.up_to
          AND ${isAlive('x', 'now()')} ORDER BY x.position DESC LIMIT w.newest)
      UNION ALL
      (SELECT ${messageColumns('x')} FROM messages x
        WHERE w.changed AND x.conversation_id = w.id AND x.version > 0 AND x.version > w.seen
          AND x.position > w.visible_from AND x.position <= w.above
          AND ${isAlive('x', 'now()')} ORDER BY x.version LIMIT ${CHANGED_MAX})
    ) x ORDER BY w.n, x.position`,
};
