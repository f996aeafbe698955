import { DIGEST_LENGTH } from '@tidings/protocol/digest';
import { LIMITS } from '@tidings/protocol/limits';
import { pageWithin } from '../database/pages.sql';
import { messageBytes, messageColumns } from '../messages/message.mapper';
import { keepsDigest, keepsUnread, keptUnread, readUpTo } from './kept-state.sql';
import { membershipIn, membershipsOf } from './memberships.sql';

/** Whoever reads rows counts a pending removal as done and a pending addition as not yet. */
export function isMember(m: string): string {
  return `${m}.from_position IS NOT NULL AND ${m}.until_position IS NULL AND NOT ${m}.pending`;
}

/** Entries that are no tombstones of expired messages: the predicate of the index by position. */
function isLasting(x: string): string {
  return `(${x}.content IS NOT NULL OR ${x}.deleted)`;
}

/**
 * Messages that have not expired at this SQL time and can be shown: one that expired while a
 * statement ran may have lost its content already.
 */
export function isAlive(x: string, at: string): string {
  return `${isLasting(x)} AND (${x}.expires_at IS NULL OR ${x}.expires_at > ${at})`;
}

/**
 * Scalar: position of the conversation's last entry below `bound`, "0" when there is none. Tombstones
 * do not count: nobody misses them.
 */
export function positionBelow(conversationId: string, bound: string): string {
  const last = (table: string, more = ''): string => `(SELECT e.position FROM ${table} e
    WHERE e.conversation_id = ${conversationId} AND e.position < ${bound}${more}
    ORDER BY e.position DESC LIMIT 1)`;
  const message = last('messages', ` AND ${isLasting('e')}`);
  return `GREATEST(COALESCE(${message}, 0), COALESCE(${last('changes')}, 0))`;
}

/** Messages of others, above the member's read mark and up to `upTo`. Events do not count. */
const unread = (m: string, upTo: string): string => `FROM messages x
    WHERE x.conversation_id = ${m}.conversation_id
      AND x.position > ${readUpTo(m)} AND x.position <= ${upTo}
      AND x.sender_id <> ${m}.user_id AND x.kind <> 'event' AND NOT x.deleted
      AND ${isAlive('x', 'now()')}`;

/** Scalar: unread messages of a member up to `upTo`. */
export function unreadCount(m: string, upTo: string): string {
  return `(SELECT count(*)::int ${unread(m, upTo)})`;
}

/**
 * FROM item: the same as `unread`, with the first `expiry` of what was counted. Reads nothing unless
 * `wanted`.
 */
export function unreadMessages(
  m: string,
  { upTo, wanted }: { upTo: string; wanted: string },
): string {
  return `(SELECT count(*)::int AS unread, min(x.expires_at) AS expiry
    ${unread(m, upTo)} AND ${wanted})`;
}

/**
 * Scalar: the lines of the state digest up to `upTo`, oldest first. At a time other than `now()`
 * tombstones of messages that lived then are among them.
 */
export function digestLines(
  conversationId: string,
  { from, upTo, at }: { from: string; upTo: string; at: string },
): string {
  const newest = (condition: string): string => `(SELECT x.position, x.message_id, x.version
      FROM messages x
      WHERE x.conversation_id = ${conversationId}
        AND x.position > ${from} AND x.position <= ${upTo} AND ${condition}
      ORDER BY x.position DESC LIMIT ${DIGEST_LENGTH})`;
  const alive = newest(isAlive('x', at));
  const all =
    at === 'now()'
      ? alive
      : `(SELECT * FROM (${alive} UNION ALL ${newest(isTombstone('x', at))}) u
          ORDER BY u.position DESC LIMIT ${DIGEST_LENGTH})`;
  return `ARRAY(SELECT l.position || ':' || l.message_id || ':' || l.version
    FROM ${all} l ORDER BY l.position)`;
}

/** Tombstones of messages that had not expired at this SQL time. */
function isTombstone(x: string, at: string): string {
  return `${x}.content IS NULL AND NOT ${x}.deleted AND ${x}.expires_at > ${at}`;
}

/**
 * FROM item: the conversation's own last messages up to `upTo`, as somebody sees them who sees all:
 * the `lines` of their digest now, the `oldest` position, the first `expiry`, and whether all lie
 * above `from` (`whole`). Reads nothing unless `wanted`.
 */
export function lastMessages(
  conversationId: string,
  { from, upTo, wanted }: { from: string; upTo: string; wanted: string },
): string {
  return `(SELECT min(t.position) AS oldest, min(t.expires_at) AS expiry,
      bool_and(t.position > ${from}) AS whole,
      array_agg(t.position || ':' || t.message_id || ':' || t.version ORDER BY t.position) AS lines
    FROM (SELECT x.position, x.message_id, x.version, x.expires_at FROM messages x
      WHERE ${wanted} AND x.conversation_id = ${conversationId} AND x.position <= ${upTo}
        AND ${isAlive('x', 'now()')}
      ORDER BY x.position DESC LIMIT ${DIGEST_LENGTH}) t)`;
}

/**
 * Whether the user `x` hides their marks from the user `viewer` (SQL expressions): whoever blocks
 * somebody does (see `BLOCK_TABLE`).
 */
export function hidesMarks(x: string, viewer: string): string {
  return `EXISTS (SELECT 1 FROM blocks WHERE user_id = ${x} AND blocked_id = ${viewer})`;
}

/** Scalar: a member's `delivered` as the user `viewer` may see it, capped at the last entry; else "0". */
export function deliveredMark(x: string, c: string, viewer: string): string {
  return `CASE WHEN ${hidesMarks(`${x}.user_id`, viewer)} THEN '0'
    ELSE LEAST(GREATEST(${x}.delivered, ${x}.read), ${c}.last_position)::text END`;
}

/** Scalar: whether a user (SQL expression) shows others what he has read. */
export function showsRead(userId: string): string {
  return `(SELECT privacy_read_receipts FROM users WHERE id = ${userId}) IS NOT FALSE`;
}

/**
 * Scalar: a member's `read` as the member `m` may see it, capped at the last entry: one's own, and
 * that of others where both show theirs (`shows`: whether `x` does) and no block hides it; else "0". `viewer`: the user id
 * of `m`; as a parameter it is looked up once.
 */
export function readMark(
  x: string,
  c: string,
  m: string,
  shows: string,
  viewer = `${m}.user_id`,
): string {
  const mayBeSeen = `${showsRead(viewer)} AND ${shows}
      AND NOT ${hidesMarks(`${x}.user_id`, viewer)}`;
  return `CASE WHEN ${x}.user_id = ${m}.user_id OR (${mayBeSeen})
    THEN LEAST(${x}.read, ${c}.last_position)::text ELSE '0' END`;
}

/**
 * Scalar: members as JSON, one more than are shown when there are too many, with their marks as the
 * member `m` may see them.
 */
function membersJson(c: string, m: string): string {
  return `(SELECT json_agg(json_build_object('userId', x.user_id, 'role', x.role,
        'delivered', ${deliveredMark('x', c, `${m}.user_id`)},
        'read', ${readMark('x', c, m, showsRead('x.user_id'))}) ORDER BY x.user_id)
    FROM (SELECT * FROM members y WHERE y.conversation_id = ${c}.id AND ${isMember('y')}
          ORDER BY y.user_id LIMIT ${LIMITS.membersInline + 1}) x)`;
}

/**
 * Scalar: the marks of a conversation's members as JSON text, as the member `m`, the user `viewer`,
 * may see them; only the member's own when there are too many, or none: of everybody nobody is listed.
 */
export function receiptsJson(c: string, m: string, viewer: string): string {
  const one = (x: string, read: string): string => `'{"userId":"' || ${x}.user_id
    || '","delivered":"' || ${deliveredMark(x, c, viewer)} || '","read":"' || ${read} || '"}'`;
  return `(SELECT '[' || CASE WHEN count(*) > ${LIMITS.membersInline} OR count(*) = 0
      THEN ${one(m, `LEAST(${m}.read, ${c}.last_position)`)}
      ELSE string_agg(${one('x', readMark('x', c, m, showsRead('x.user_id'), viewer))}, ','
        ORDER BY x.user_id) END || ']'
    FROM (SELECT y.user_id, y.delivered, y.read FROM members y
      WHERE y.conversation_id = ${c}.id AND ${isMember('y')}
      ORDER BY y.user_id LIMIT ${LIMITS.membersInline + 1}) x)`;
}

/** Scalar: who of a direct conversation's users is blocked by the other one, as JSON; null: nobody. */
function blockedJson(c: string): string {
  const [one, other] = [1, 2].map((n) => `split_part(${c}.direct_key, ',', ${n})::uuid`);
  return `CASE WHEN ${c}.direct_key IS NOT NULL THEN (SELECT json_agg(b.blocked_id) FROM (
      SELECT blocked_id FROM blocks WHERE user_id = ${one} AND blocked_id = ${other}
      UNION ALL SELECT blocked_id FROM blocks WHERE user_id = ${other} AND blocked_id = ${one}) b)
    END`;
}

const KEPT_DIGEST = keepsDigest('c', { from: 'm.from_position', at: 'now()' });

const VIEW = `c.id, c.kind, c.title, c.created_at, c.message_ttl_seconds, c.last_position,
  (extract(epoch FROM c.last_at) * 1000000)::int8 AS last_at_us, m.from_position,
  ${membersJson('c', 'm')} AS members,
  (SELECT count(*)::int FROM members x
    WHERE x.conversation_id = c.id AND ${isMember('x')}) AS member_count,
  CASE WHEN ${keepsUnread('m', 'c')} THEN ${keptUnread('m', 'c')}
    ELSE ${unreadCount('m', 'c.last_position')} END AS unread,
  CASE WHEN ${KEPT_DIGEST} THEN c.digest END AS digest,
  CASE WHEN NOT ${KEPT_DIGEST} THEN
    ${digestLines('c.id', { from: 'm.from_position', upTo: 'c.last_position', at: 'now()' })}
  END AS lines,
  last.message_id, last.position, last.version, last.sender_id, last.sent_at, last.expires_at,
  last.deleted, last.content, last.extras`;

const LAST = `LEFT JOIN LATERAL (SELECT ${messageColumns('x')} FROM messages x
    WHERE x.conversation_id = c.id AND x.position > m.from_position
      AND x.position <= c.last_position AND ${isAlive('x', 'now()')}
    ORDER BY x.position DESC LIMIT 1) last ON true`;

/** $1 user, $2 conversation: the conversation as this member sees it; no row for outsiders. */
export const GET_VIEW = {
  name: 'conversation-get',
  text: `SELECT ${VIEW} FROM ${membershipIn('$2', '$1')} m
      JOIN conversations c ON c.id = m.conversation_id ${LAST}
    WHERE ${isMember('m')}
      AND c.created_position IS NOT NULL`,
};

/** Bytes of a conversation as JSON, beside title, members and last message. */
const CONVERSATION_FRAME_BYTES = 500;

/**
 * $1 user, $2 and $3 last item's time (µs) and id or nulls, $4 limit: newest first, as many as fit
 * into an answer.
 */
export const LIST_VIEWS = {
  name: 'conversation-list',
  text: pageWithin(
    `WITH page AS MATERIALIZED (
      SELECT m.conversation_id, m.user_id, c.last_at
      FROM ${membershipsOf('$1')} m JOIN conversations c ON c.id = m.conversation_id
      WHERE ${isMember('m')} AND c.created_position IS NOT NULL
        AND ($2::int8 IS NULL OR
             ((extract(epoch FROM c.last_at) * 1000000)::int8, c.id) < ($2::int8, $3::text COLLATE "C"))
      ORDER BY c.last_at DESC, c.id DESC LIMIT $4)
    SELECT ${VIEW} FROM page
      CROSS JOIN LATERAL ${membershipIn('page.conversation_id', 'page.user_id')} m
      JOIN conversations c ON c.id = page.conversation_id ${LAST}
    ORDER BY page.last_at DESC, c.id DESC`,
    {
      order: 'last_at_us DESC, id DESC',
      // Escapes make a title twice as long at most.
      bytes: `${CONVERSATION_FRAME_BYTES} + COALESCE(2 * octet_length(p.title), 0)
        + COALESCE(octet_length(p.members::text), 0) + ${messageBytes('p')}`,
    },
  ),
};

/** Members, and those whose addition is on its way: who counts for the size of a group. */
export function isComing(m: string): string {
  return `${m}.until_position IS NULL AND (${m}.from_position IS NULL OR NOT ${m}.pending)`;
}

/**
 * $1 topic, $2 conversation ids, $3 bounds or nulls: routing data and, in every row and in the same
 * snapshot, the next offset to apply per partition. Former members only as far as they still saw
 * something at or above the bound; without one none.
 */
export const ROUTING = {
  name: 'conversation-routing',
  text: `SELECT progress.applied, c.id, c.kind, c.version, c.message_ttl_seconds, r.members, r.pending,
      c.blocks_version, ${blockedJson('c')} AS blocked,
      CASE WHEN w.below IS NULL OR c.last_position < w.below THEN c.last_position
           ELSE ${positionBelow('c.id', 'w.below')} END AS last_position
    FROM (SELECT ARRAY(SELECT next::text FROM log_progress WHERE topic = $1 ORDER BY partition)
            AS applied) progress
    LEFT JOIN (unnest($2::text[], $3::int8[]) AS w (id, below)
      JOIN conversations c ON c.id = w.id
      CROSS JOIN LATERAL (SELECT json_agg(json_build_object('userId', x.user_id,
          'from', x.from_position::text, 'until', x.until_position::text))
            FILTER (WHERE NOT x.pending) AS members, bool_or(x.pending) AS pending
        FROM members x WHERE x.conversation_id = c.id
          AND (x.until_position IS NULL OR x.until_position >= w.below)) r) ON true`,
};
