import { EVERYONE_ID } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import {
  deliveredMark,
  hidesMarks,
  isMember,
  readMark,
  showsRead,
  unreadCount,
} from '../conversations/conversation-views.sql';
import { membershipIn } from '../conversations/memberships.sql';

/**
 * Aligned arrays: $1 conversations, $2 users, $3 delivered, $4 read, $5 times: raises present
 * members' marks, and keeps when each rose last.
 */
export const RAISE = {
  name: 'receipts-raise',
  text: `UPDATE members m
    SET delivered = GREATEST(m.delivered, w.delivered), read = GREATEST(m.read, w.read),
      delivered_at = CASE WHEN m.delivered < w.delivered THEN w.at ELSE m.delivered_at END,
      read_at = CASE WHEN m.read < w.read THEN w.at ELSE m.read_at END
    FROM unnest($1::text[], $2::uuid[], $3::int8[], $4::int8[], $5::timestamptz[])
      AS w (conversation_id, user_id, delivered, read, at)
    WHERE m.conversation_id = w.conversation_id AND m.user_id = w.user_id AND ${isMember('m')}
      AND (m.delivered < w.delivered OR m.read < w.read)
    RETURNING 1`,
};

/**
 * Aligned arrays: $1 users, $2 delivered, $3 read: the same in the conversation of everybody. Whoever
 * has received something there has a row.
 */
export const RAISE_EVERYONE = {
  name: 'receipts-raise-everyone',
  text: `INSERT INTO everyone_marks AS e (user_id, delivered, read)
    SELECT w.user_id, max(w.delivered), max(w.read)
      FROM unnest($1::uuid[], $2::int8[], $3::int8[]) AS w (user_id, delivered, read)
        JOIN users u ON u.id = w.user_id AND u.everyone_from < GREATEST(w.delivered, w.read)
      GROUP BY w.user_id ORDER BY w.user_id
    ON CONFLICT (user_id) DO UPDATE
      SET delivered = GREATEST(e.delivered, excluded.delivered), read = GREATEST(e.read, excluded.read)
      WHERE e.delivered < excluded.delivered OR e.read < excluded.read
    RETURNING 1`,
};

/** $1 asking user, $2 conversation, $3 last item's user or null, $4 limit: no row for outsiders. */
export const LIST = {
  name: 'receipts-list',
  text: `SELECT x.user_id AS "userId", ${deliveredMark('x', 'c', 'm.user_id')} AS delivered,
      ${readMark('x', 'c', 'm', showsRead('x.user_id'))} AS read
    FROM members m
      JOIN conversations c ON c.id = m.conversation_id AND c.created_position IS NOT NULL
      JOIN members x ON x.conversation_id = m.conversation_id AND ${isMember('x')}
    WHERE m.conversation_id = $2 AND m.user_id = $1 AND ${isMember('m')}
      AND ($3::uuid IS NULL OR x.user_id > $3::uuid)
    ORDER BY x.user_id LIMIT $4`,
};

/** $1 asking user: of everybody's marks their own alone; no row while there is nothing for them to see. */
export const LIST_EVERYONE = {
  name: 'receipts-list-everyone',
  text: `SELECT m.user_id AS "userId", LEAST(GREATEST(m.delivered, m.read), c.last_position)::text AS delivered,
      LEAST(m.read, c.last_position)::text AS read
    FROM ${membershipIn(`'${EVERYONE_ID}'`, '$1')} m JOIN conversations c ON c.id = m.conversation_id
    WHERE ${isMember('m')}`,
};

/** A mark, capped at the last entry as soon as everything up to it is applied. */
const capped = (mark: string): string =>
  `CASE WHEN p.epoch_base + p.next > ${mark} THEN LEAST(${mark}, c.last_position) ELSE ${mark} END`;

/** FROM items of {@link VIEW}: the marks as they are told, of a membership `m` asked about by `w`. */
const MARKS = `JOIN log_progress p ON p.topic = $1 AND p.partition = c.partition
      CROSS JOIN LATERAL (SELECT m.conversation_id, m.user_id, m.from_position,
        GREATEST(m.read, w.read) AS read,
        GREATEST(m.delivered, w.delivered, m.read, w.read) AS delivered) k
      CROSS JOIN LATERAL (SELECT ${capped('k.delivered')} AS delivered,
        ${capped('k.read')} AS read) marks`;

const TOLD = `w.n::int AS n, marks.delivered::text AS delivered, marks.read::text AS read,
      GREATEST(m.delivered, m.read)::text AS delivered_before,
      CASE WHEN w.read > 0 THEN ${unreadCount('k', 'c.last_position')} END AS unread,
      CASE WHEN w.read > 0 THEN GREATEST(c.last_position, marks.read)::text END AS up_to`;

const ASKED = `unnest($2::text[], $3::uuid[], $4::int8[], $5::int8[])
        WITH ORDINALITY AS w (conversation_id, user_id, delivered, read, n)`;

/**
 * $1 topic of the log, then aligned arrays: $2 conversations, $3 users, $4 delivered, $5 read. For
 * each present member its marks, raised to these, who else is there, and what is unread (asked only
 * where `read` is).
 */
export const VIEW = {
  name: 'receipts-view',
  text: `SELECT ${TOLD},
      (SELECT json_agg(json_build_object('userId', x.user_id,
          'seesRead', x.shows AND ${showsRead('k.user_id')},
          'hidden', ${hidesMarks('k.user_id', 'x.user_id')}))
        FROM (SELECT y.user_id, ${showsRead('y.user_id')} AS shows FROM members y
              WHERE y.conversation_id = k.conversation_id AND ${isMember('y')}
              LIMIT ${LIMITS.membersInline + 1}) x) AS members
    FROM ${ASKED}
      JOIN members m ON m.conversation_id = w.conversation_id AND m.user_id = w.user_id
        AND ${isMember('m')}
      JOIN conversations c ON c.id = m.conversation_id
      ${MARKS}`,
};

/** The same in the conversation of everybody, where nobody else is told. */
export const VIEW_EVERYONE = {
  name: 'receipts-view-everyone',
  text: `SELECT ${TOLD}, '[]'::json AS members
    FROM ${ASKED}
      CROSS JOIN LATERAL ${membershipIn(`'${EVERYONE_ID}'`, 'w.user_id')} m
      JOIN conversations c ON c.id = m.conversation_id
      ${MARKS}
    WHERE w.conversation_id = '${EVERYONE_ID}' AND ${isMember('m')}`,
};
