import { Injectable } from '@nestjs/common';
import type { Message } from '@tidings/common/contracts/content';
import type { ChangeTarget, FirstAppend } from '@tidings/common/contracts/internal';
import { isAlive, isMember, positionBelow } from '../conversations/conversation-views.sql';
import { Database } from '../database/database';
import { pageWithin } from '../database/pages.sql';
import { messageBytes, messageColumns, type MessageRow, toMessage } from './message.mapper';

/** Which page of a history: the newest below `before`, or the oldest above `after`. */
export interface HistoryRange {
  before: string | null;
  after: string | null;
  limit: number;
}

const VISIBLE = `x.conversation_id = $1 AND x.position > GREATEST($2::int8, $3::int8)
  AND x.position < $4::int8 AND ${isAlive('x', 'now()')}
  AND EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = $1 AND m.user_id = $6
    AND ${isMember('m')})`;

/** Reads the histories of conversations. */
@Injectable()
export class MessagesRepository {
  constructor(private readonly database: Database) {}

  /** From which position on a member sees a conversation; null for outsiders. */
  async visibleFrom(userId: string, conversationId: string): Promise<string | null> {
    const [row] = await this.database.rows<{ from: string }>(
      {
        name: 'history-member',
        text: `SELECT m.from_position AS from FROM members m
               JOIN conversations c ON c.id = m.conversation_id
               WHERE m.conversation_id = $2 AND m.user_id = $1 AND ${isMember('m')}
                 AND c.created_position IS NOT NULL`,
      },
      [userId, conversationId],
    );
    return row?.from ?? null;
  }

  /**
   * A page in ascending order, and whether more lie beyond it in the direction of reading; empty for
   * somebody who has been removed meanwhile. It ends at `limit` messages or at the bytes of an answer.
   */
  async history(
    reader: { userId: string; visibleFrom: string },
    conversationId: string,
    { before, after, limit }: HistoryRange,
  ): Promise<{ items: Message[]; more: boolean }> {
    const order = after === null ? 'DESC' : 'ASC';
    const rows = await this.database.rows<MessageRow & { found: number }>(
      {
        name: `history-${order}`,
        text: pageWithin(
          `SELECT ${messageColumns('x')} FROM messages x WHERE ${VISIBLE}
             ORDER BY x.position ${order} LIMIT $5`,
          { order: `position ${order}`, bytes: messageBytes('p') },
        ),
      },
      [
        conversationId,
        reader.visibleFrom,
        after ?? '0',
        before ?? LAST_POSITION,
        limit + 1,
        reader.userId,
      ],
    );
    const items = rows.slice(0, limit).map(toMessage);
    const more = items.length < (rows[0]?.found ?? 0);
    return { items: after === null ? items.reverse() : items, more };
  }

  /** What a change of a message meets, and how far its partition is applied; null for outsiders. */
  async changeTarget(
    topic: string,
    wanted: { userId: string; conversationId: string; messageId: string; changeId: string },
  ): Promise<(Omit<ChangeTarget, 'applied'> & { appliedTo: bigint }) | null> {
    const { userId, conversationId, messageId, changeId } = wanted;
    const values = [userId, conversationId, messageId, changeId, topic];
    const [row] = await this.database.rows<ChangeTargetRow>(CHANGE_TARGET, values);
    if (!row) return null;
    const { change_position: position } = row;
    return {
      message: row.message_id === null ? null : toMessage({ ...row, message_id: row.message_id }),
      role: row.role,
      change:
        position === null
          ? null
          : { position, messageId: row.of_message, userId: row.user_id, hash: row.hash },
      previous: row.previous,
      appliedTo: BigInt(row.applied),
    };
  }

  /**
   * First appends of message ids, aligned, and how far the log is applied: one snapshot. Of an
   * expired message only its sender is known, whether it has been cleared yet or not.
   */
  async first(
    topic: string,
    wanted: readonly { conversationId: string; messageId: string }[],
  ): Promise<{ first: FirstAppend | null; applied: string[] }[]> {
    const rows = await this.database.rows<FirstRow>(
      {
        name: 'messages-first',
        text: `SELECT x.position, x.sender_id, x.sent_at,
                 CASE WHEN x.expires_at <= now() THEN NULL ELSE x.content_hash END AS content_hash,
                 ARRAY(SELECT next::text FROM log_progress WHERE topic = $3 ORDER BY partition) AS applied
               FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS w (conversation_id, message_id, n)
               LEFT JOIN messages x USING (conversation_id, message_id) ORDER BY w.n`,
      },
      [wanted.map((w) => w.conversationId), wanted.map((w) => w.messageId), topic],
    );
    return rows.map((row) => ({ first: toFirst(row), applied: row.applied }));
  }
}

/**
 * $1 user, $2 conversation, $3 message, $4 change, $5 topic; no row for outsiders. Without a message
 * that the user sees, the changes of others are not there either.
 */
const CHANGE_TARGET = {
  name: 'change-target',
  text: `SELECT m.role, ${messageColumns('x')}, h.position AS change_position,
      h.message_id AS of_message, h.user_id, h.hash,
      (SELECT next FROM log_progress WHERE topic = $5 AND partition = c.partition) AS applied,
      CASE WHEN h.position IS NOT NULL THEN
        ${positionBelow('c.id', 'CASE WHEN x.deleted THEN x.version ELSE h.position END')}
      END AS previous
    FROM members m JOIN conversations c ON c.id = m.conversation_id
    LEFT JOIN messages x ON x.conversation_id = m.conversation_id AND x.message_id = $3
      AND x.position > m.from_position AND ${isAlive('x', 'now()')}
    LEFT JOIN changes h ON h.conversation_id = m.conversation_id AND h.change_id = $4
      AND (x.message_id IS NOT NULL OR h.user_id = $1)
    WHERE m.user_id = $1 AND m.conversation_id = $2 AND ${isMember('m')}
      AND c.created_position IS NOT NULL`,
};

interface ChangeTargetRow extends Omit<MessageRow, 'message_id'> {
  message_id: string | null;
  role: ChangeTarget['role'];
  change_position: string | null;
  of_message: string;
  user_id: string;
  hash: string | null;
  applied: string;
  previous: string | null;
}

function toFirst(row: FirstRow): FirstAppend | null {
  if (row.position === null) return null;
  return {
    position: row.position,
    senderId: row.sender_id,
    contentHash: row.content_hash,
    sentAt: row.sent_at.toISOString(),
  };
}

/** Above every position. */
const LAST_POSITION = '9223372036854775807';

interface FirstRow {
  position: string | null;
  sender_id: string;
  content_hash: string | null;
  sent_at: Date;
  applied: string[];
}
