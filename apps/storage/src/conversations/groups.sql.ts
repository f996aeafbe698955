import { LIMITS } from '@tidings/protocol/limits';
import { deliveredMark, isComing, isMember, readMark, showsRead } from './conversation-views.sql';

/** $1 user ids, each once: how many of them exist. */
export const KNOWN_USERS = {
  name: 'group-known-users',
  text: 'SELECT count(*)::int AS known FROM users WHERE id = ANY ($1::uuid[])',
};

/** $1 conversation: locks it against other changes; one that is not in the log yet is not there. */
export const LOCK = {
  name: 'group-lock',
  text: `SELECT kind, title, message_ttl_seconds AS "messageTtlSeconds", history, version
    FROM conversations WHERE id = $1 AND created_position IS NOT NULL FOR UPDATE`,
};

/** $1 conversation, $2 user ids: where those stand who are or were members. */
export const PEOPLE = {
  name: 'group-people',
  text: `SELECT user_id AS "userId", role, CASE
      WHEN from_position IS NULL THEN 'joining'
      WHEN pending THEN 'leaving'
      WHEN until_position IS NULL THEN 'member' ELSE 'former' END AS standing
    FROM members WHERE conversation_id = $1 AND user_id = ANY ($2::uuid[])`,
};

/** $1 conversation. */
export const SIZE = {
  name: 'group-size',
  text: `SELECT count(*)::int AS size FROM members m
    WHERE m.conversation_id = $1 AND ${isComing('m')}`,
};

/** $1 conversation, $2 user: members who block the user. */
export const BLOCKED_BY = {
  name: 'group-blocked-by',
  text: `SELECT b.user_id AS id FROM members m
    JOIN blocks b ON b.user_id = m.user_id AND b.blocked_id = $2
    WHERE m.conversation_id = $1 AND ${isMember('m')}`,
};

/** $1 conversation, $2 its owner: the oldest admin, else the oldest member, else who is joining. */
export const HEIR = {
  name: 'group-heir',
  text: `SELECT m.user_id AS "userId", m.from_position IS NOT NULL AS settled FROM members m
    WHERE m.conversation_id = $1 AND m.user_id <> $2 AND ${isComing('m')}
    ORDER BY settled DESC, m.role = 'admin' DESC, m.joined_position, m.user_id LIMIT 1`,
};

/** $1 conversation: ids of its members after the changes decided so far, one too many at most. */
export const COMING = {
  name: 'group-coming',
  text: `SELECT ARRAY(SELECT m.user_id::text FROM members m
    WHERE m.conversation_id = $1 AND ${isComing('m')}
    ORDER BY m.user_id LIMIT ${LIMITS.membersInline}) AS ids`,
};

/** $1 conversation, $2 version, $3 title, $4 lifetime. */
export const UPDATE = {
  name: 'group-update',
  text: `UPDATE conversations SET version = $2, title = $3, message_ttl_seconds = $4
    WHERE id = $1`,
};

/** $1 conversation, $2 user ids, $3 version: joining from now on, whatever they were before. */
export const ADD = {
  name: 'group-add',
  text: `INSERT INTO members AS m (conversation_id, user_id, role, pending, changed_version)
    SELECT $1, u, 'member', true, $3::int FROM unnest($2::uuid[]) u
    ON CONFLICT (conversation_id, user_id) DO UPDATE
      SET role = 'member', from_position = NULL, until_position = NULL, pending = true,
          changed_version = EXCLUDED.changed_version, joined_position = 0`,
};

/** $1 conversation, $2 user ids, $3 version: leaving from now on. */
export const REMOVE = {
  name: 'group-remove',
  text: `UPDATE members SET role = 'member', pending = true, changed_version = $3
    WHERE conversation_id = $1 AND user_id = ANY ($2::uuid[])`,
};

/** $1 conversation, $2 user, $3 role. */
export const ROLE = {
  name: 'group-role',
  text: 'UPDATE members SET role = $3 WHERE conversation_id = $1 AND user_id = $2',
};

/** $1 message id, $2 conversation, $3 version, $4 event. */
export const OUTBOX = {
  name: 'group-outbox',
  text: `INSERT INTO outbox (message_id, conversation_id, version, event, due_at)
    VALUES ($1, $2, $3, $4, now() + interval '2 seconds')`,
};

/** $1 conversation, $2 user. */
export const IS_MEMBER = {
  name: 'group-is-member',
  text: `SELECT 1 FROM members m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.conversation_id = $1 AND m.user_id = $2 AND ${isMember('m')}
      AND c.created_position IS NOT NULL`,
};

/**
 * $1 asking user, $2 conversation, $3 last id or null, $4 limit: members with their marks as the
 * user may see them, capped; no row for outsiders.
 */
export const MEMBERS = {
  name: 'group-members',
  text: `SELECT x.user_id AS "userId", x.role, ${deliveredMark('x', 'c', 'm.user_id')} AS delivered,
      ${readMark('x', 'c', 'm', showsRead('x.user_id'))} AS read
    FROM members m
      JOIN conversations c ON c.id = m.conversation_id
      JOIN members x ON x.conversation_id = m.conversation_id AND ${isMember('x')}
    WHERE m.conversation_id = $2 AND m.user_id = $1 AND ${isMember('m')}
      AND ($3::uuid IS NULL OR x.user_id > $3::uuid)
    ORDER BY x.user_id LIMIT $4`,
};

/** $1 conversation, $2 message id. */
export const CHANGE_POSITION = {
  name: 'group-change-position',
  text: 'SELECT position FROM messages WHERE conversation_id = $1 AND message_id = $2',
};
