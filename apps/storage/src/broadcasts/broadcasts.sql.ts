import { EVERYONE_ID } from '@tidings/protocol/ids';
import { isTerm } from '../leader/leaders.repository';

/** How long the leader leaves a broadcast alone after attempt n: 2, 4, … at most 64 seconds. */
const DUE_AFTER = `interval '2 seconds' * power(2, LEAST(attempts, 5))`;
/** A deleted one of which nobody knows whether it got into the log is looked for so long. */
const LOOK_FOR = `interval '1 day'`;

/** $1 user: a row when they may write to everybody. */
export const IS_BROADCASTER = {
  text: `SELECT 1 FROM user_roles r JOIN users u ON u.id = r.user_id
    WHERE r.user_id = $1 AND r.role = 'broadcaster' AND u.disabled_at IS NULL`,
};

/** $1 message: the broadcast of this id. */
export const FIND = {
  text: `SELECT sender_id AS "senderId", content_hash AS "contentHash" FROM broadcasts
    WHERE message_id = $1`,
};

/** $1 how many there may be in an hour: milliseconds until there is room for one more; no row: now. */
export const WAIT = {
  text: `SELECT ceil(extract(epoch FROM created_at + interval '1 hour' - clock_timestamp()) * 1000)::int
      AS "waitMs"
    FROM broadcasts WHERE created_at > clock_timestamp() - interval '1 hour'
    ORDER BY created_at DESC OFFSET $1::int - 1 LIMIT 1`,
};

/**
 * $1 partition, $2 title, $3 user: the conversation of everybody, when it is not there yet. It begins
 * without an entry of its own, so it is in the log from the start.
 */
export const BEGIN = {
  text: `INSERT INTO conversations (id, kind, title, created_at, created_by, version, partition,
      created_position, last_position, last_at)
    VALUES ('${EVERYONE_ID}', 'everyone', $2, now(), $3, 1, $1, 0,
      COALESCE((SELECT max(position) FROM messages WHERE conversation_id = '${EVERYONE_ID}'), 0), now())
    ON CONFLICT DO NOTHING`,
};

/** $1 message, $2 sender, $3 device, $4 content, $5 its hash. */
export const ADD = {
  text: `INSERT INTO broadcasts (message_id, sender_id, device_id, content, content_hash, created_at, due_at)
    VALUES ($1, $2, $3, $4, $5, date_trunc('milliseconds', clock_timestamp()),
      now() + interval '2 seconds')`,
};

/**
 * $1 message, $2 user, $3 device, $4 change: deletes it, once. One that nobody has begun to append never
 * will be; of the others the deletion is to be appended, too.
 */
export const DELETE = {
  text: `UPDATE broadcasts SET content = NULL, deleted_at = now(), deleted_by = $2, deleted_on = $3,
      change_id = $4,
      due_at = CASE WHEN attempts > 0 OR position IS NOT NULL THEN now() END
    WHERE message_id = $1 AND deleted_at IS NULL RETURNING 1`,
};

/** What is to be appended, in the order in which it was written; each counts as attempted from now on. */
export const TAKE = {
  name: 'broadcasts-take',
  text: `WITH taken AS (UPDATE broadcasts SET attempts = attempts + 1, due_at = now() + ${DUE_AFTER}
      WHERE due_at IS NOT NULL RETURNING *)
    SELECT message_id AS "messageId", sender_id AS "senderId", device_id AS "deviceId", content,
      content_hash AS "contentHash", created_at AS "createdAt", attempts, deleted_by AS "deletedBy",
      deleted_on AS "deletedOn", change_id AS "changeId",
      COALESCE(b.position, (SELECT x.position FROM messages x
        WHERE x.conversation_id = '${EVERYONE_ID}' AND x.message_id = b.message_id)) AS position
    FROM taken b ORDER BY created_at, message_id`,
};

/** $1 message, $2 its position: it is in the log, and what is left to do is its deletion, if at all. */
export const SENT = {
  name: 'broadcasts-sent',
  text: `UPDATE broadcasts SET position = LEAST(position, $2::int8), content = NULL,
      due_at = CASE WHEN deleted_at IS NOT NULL THEN now() END WHERE message_id = $1`,
};

/** $1 message: nothing is left to do. */
export const DONE = {
  name: 'broadcasts-done',
  text: `UPDATE broadcasts SET due_at = NULL WHERE message_id = $1`,
};

/** $1 message: deleted, and not in the log as far as anybody knows: looked for again, but not for ever. */
export const PUT_OFF = {
  name: 'broadcasts-put-off',
  text: `UPDATE broadcasts SET due_at = CASE WHEN deleted_at > now() - ${LOOK_FOR} THEN due_at END
    WHERE message_id = $1`,
};

/** $1 message: a row when something is left to append for it. */
export const IS_OPEN = {
  name: 'broadcasts-open',
  text: 'SELECT 1 FROM broadcasts WHERE message_id = $1 AND due_at IS NOT NULL',
};

/** $1 term: a row when somebody has left work undone; none for a term that is over. */
export const OVERDUE = {
  name: 'broadcasts-overdue',
  text: `SELECT 1 FROM broadcasts WHERE due_at < now() AND ${isTerm(1)} LIMIT 1`,
};

/**
 * $1 message: its state, and how many it is for and has reached. Counted anew each time: a count that is
 * kept would have to be right over every repetition and crash.
 */
export const SHOW = {
  name: 'broadcasts-show',
  text: `SELECT b.message_id AS "messageId",
      CASE WHEN b.deleted_at IS NOT NULL THEN 'deleted' WHEN b.position IS NOT NULL THEN 'sent'
        ELSE 'queued' END AS state, n.audience, n.delivered, n.audience - n.delivered AS pending
    FROM broadcasts b CROSS JOIN LATERAL (
      SELECT count(*)::int AS audience,
          count(*) FILTER (WHERE GREATEST(e.delivered, e.read) >= b.position)::int AS delivered
        FROM users u LEFT JOIN everyone_marks e ON e.user_id = u.id
        WHERE u.disabled_at IS NULL AND (b.position IS NULL OR u.everyone_from < b.position)
          AND (b.position IS NOT NULL OR b.deleted_at IS NULL)) n
    WHERE b.message_id = $1`,
};
