import { EVERYONE_ID } from '@tidings/protocol/ids';

/**
 * Which conversations a user is in, and since when. Most memberships are rows of `members`. The
 * conversation of everybody has none there (decision 0040): each user's interval begins at
 * `users.everyone_from`, and marks lie in `everyone_marks`.
 */
const MEMBER = `SELECT m.conversation_id, m.user_id, m.from_position, m.until_position, m.pending,
    m.joined_position, m.delivered, m.read, m.unread, m.unread_position, m.unread_after, m.unread_until
  FROM members m`;

/**
 * As long as there is nothing for the user to see it is like an addition that is not in the log yet: no
 * membership, but its partition counts. It began with the first broadcast that the user sees.
 */
const EVERYBODY = `SELECT c.id, u.id,
    CASE WHEN c.last_position > u.everyone_from THEN u.everyone_from END, NULL::int8, false,
    COALESCE((SELECT min(b.position) FROM broadcasts b WHERE b.position > u.everyone_from),
      c.last_position),
    COALESCE(e.delivered, 0), COALESCE(e.read, 0),
    e.unread, e.unread_position, e.unread_after, e.unread_until
  FROM users u JOIN conversations c ON c.id = '${EVERYONE_ID}'
    LEFT JOIN everyone_marks e ON e.user_id = u.id`;

/** FROM item: all memberships of a user (SQL expression), also pending and ended ones. */
export function membershipsOf(user: string): string {
  return `(${MEMBER} WHERE m.user_id = ${user}
    UNION ALL ${EVERYBODY} WHERE u.id = ${user})`;
}

/** FROM item, behind LATERAL where it names other items: the membership of a user in a conversation, or nothing. */
export function membershipIn(conversation: string, user: string): string {
  return `(${MEMBER} WHERE m.conversation_id = ${conversation} AND m.user_id = ${user}
    UNION ALL ${EVERYBODY} WHERE u.id = ${user} AND ${conversation} = '${EVERYONE_ID}')`;
}

/** Scalar: the last position of the conversation of everybody that is known, applied or not. */
export const EVERYONE_END = `GREATEST(
    (SELECT COALESCE(max(position), 0) FROM broadcasts),
    COALESCE((SELECT last_position FROM conversations WHERE id = '${EVERYONE_ID}'), 0))`;
