import { hidesMarks, isMember, showsRead } from '../conversations/conversation-views.sql';

/** Present members but the sender who see the message `x`. */
const RECEIVES = `y.conversation_id = m.conversation_id AND ${isMember('y')}
  AND y.user_id <> m.user_id AND y.from_position < x.position`;

/** Whether the receiver `z` hides their marks from the sender. */
const HIDDEN = hidesMarks('z.user_id', 'm.user_id');

/**
 * $1 user, $2 conversation, $3 message, $4 topic, $5 last receiver of the part before or null, $6
 * how many receivers: one row for a member, with nulls unless the message is his and he sees it; no
 * row for outsiders.
 */
export const TRACE = {
  name: 'message-trace',
  text: `SELECT x.position, x.sent_at, x.stored_at,
      CASE WHEN x.expires_at <= now() THEN x.expires_at END AS expired_at,
      (SELECT next FROM log_progress WHERE topic = $4 AND partition = c.partition) AS applied,
      (SELECT count(*)::int FROM members y WHERE ${RECEIVES}) AS recipients,
      (SELECT json_agg(json_build_object('userId', z.user_id,
          'delivered', GREATEST(z.delivered, z.read) >= x.position AND NOT ${HIDDEN},
          'deliveredAt', z.delivered_at,
          'read', z.read >= x.position AND ${showsRead('z.user_id')} AND ${showsRead('m.user_id')}
            AND NOT ${HIDDEN},
          'readAt', z.read_at) ORDER BY z.user_id)
        FROM (SELECT y.* FROM members y WHERE ${RECEIVES} AND ($5::uuid IS NULL OR y.user_id > $5)
              ORDER BY y.user_id LIMIT $6) z) AS receivers
    FROM members m JOIN conversations c ON c.id = m.conversation_id
    LEFT JOIN messages x ON x.conversation_id = m.conversation_id AND x.message_id = $3
      AND x.sender_id = m.user_id AND x.position > m.from_position
    WHERE m.user_id = $1 AND m.conversation_id = $2 AND ${isMember('m')}
      AND c.created_position IS NOT NULL`,
};
