import { Injectable } from '@nestjs/common';
import type { Message } from '@tidings/protocol/content';
import type { ChangeTarget, FirstAppend } from '@tidings/common/rpc/calls';
import { isAlive, isMember, positionBelow } from '../conversations/conversation-views.sql';
import { membershipIn } from '../conversations/memberships.sql';
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
  AND EXISTS (SELECT 1 FROM ${membershipIn('$1', '$6')} m WHERE ${isMember('m')})`;

/** Reads the histories of conversations. */
@Injectable()
export class MessagesRepository {
  constructor(private readonly database: Database) {}

  /** From which position on a member sees a conversation; null for outsiders. */
  async visibleFrom(userId: string, conversationId: string): Promise<string | null> {
    const [row] = await this.database.rows<{ from: string }>(
      {
        name: 'history-member',
        text: `SELECT m.from_position AS from FROM ${membershipIn('$2', '$1')} m
               JOIN conversations c ON c.id = m.conversation_id
               WHERE ${isMember('m')} AND c.created_position IS NOT NULL`,
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

  /** What a change of a message meets, and how far its partition is applied. */
  async changeTarget(
    { topic, partition }: { topic: string; partition: number },
    wanted: { userId: string; conversationId: string; messageId: string; changeId: string },
  ): Promise<Omit<ChangeTarget, 'applied'> & { appliedTo: bigint }> {
    const { userId, conversationId, messageId, changeId } = wanted;
    const values = [userId, conversationId, messageId, changeId, topic, partition];
    const [row] = await this.database.rows<ChangeTargetRow>(CHANGE_TARGET, values);
    const { visible } = row!;
    const known = visible || row!.user_id === userId;
    const position = known ? row!.change_position : null;
    return {
      message: messageOf(row!),
      visible,
      role: row!.role,
      change:
        position === null
          ? null
          : { position, messageId: row!.of_message, userId: row!.user_id, hash: row!.hash },
      previous: visible ? row!.previous : null,
      appliedTo: BigInt(row!.applied ?? 0),
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
        text: `SELECT x.position, x.sender_id, x.sent_at, x.expires_at,
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
 * $1 user, $2 conversation, $3 message, $4 change, $5 topic, $6 partition; one row. Of messages that
 * the user does not see, only what they changed under this id is there.
 */
const CHANGE_TARGET = {
  name: 'change-target',
  text: `SELECT m.role, ${messageColumns('x')}, h.position AS change_position,
      COALESCE(x.position > m.from_position, false) AS visible,
      h.message_id AS of_message, h.user_id, h.hash,
      (SELECT next FROM log_progress WHERE topic = $5 AND partition = $6) AS applied,
      CASE WHEN h.position IS NOT NULL THEN
        ${positionBelow('$2', 'CASE WHEN x.deleted THEN x.version ELSE h.position END')}
      END AS previous
    FROM (SELECT 1) one
    LEFT JOIN (SELECT p.role, p.from_position
      FROM members p JOIN conversations c ON c.id = p.conversation_id
      WHERE p.user_id = $1 AND p.conversation_id = $2 AND ${isMember('p')}
        AND c.created_position IS NOT NULL) m ON true
    LEFT JOIN changes h ON h.conversation_id = $2 AND h.change_id = $4
    LEFT JOIN messages x ON x.conversation_id = $2 AND x.message_id = $3 AND ${isAlive('x', 'now()')}
      AND (x.position > m.from_position OR (h.user_id = $1 AND h.message_id = $3))`,
};

interface ChangeTargetRow extends Omit<MessageRow, 'message_id'> {
  message_id: string | null;
  role: ChangeTarget['role'];
  visible: boolean;
  change_position: string | null;
  of_message: string;
  user_id: string;
  hash: string | null;
  /** Null: nothing is applied yet. */
  applied: string | null;
  previous: string | null;
}

/** The message; of one that the user does not see what he may know: it has a place, a sender and an end. */
function messageOf({ message_id: id, visible, ...row }: ChangeTargetRow): Message | null {
  if (id === null) return null;
  const whole = { ...row, message_id: id };
  if (visible) return toMessage(whole);
  const version = row.change_position!;
  return toMessage({ ...whole, version, content: null, extras: null, deleted: true });
}

function toFirst(row: FirstRow): FirstAppend | null {
  if (row.position === null) return null;
  return {
    position: row.position,
    senderId: row.sender_id,
    contentHash: row.content_hash,
    sentAt: row.sent_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}

/** Above every position. */
const LAST_POSITION = '9223372036854775807';

interface FirstRow {
  position: string | null;
  sender_id: string;
  content_hash: string | null;
  sent_at: Date;
  expires_at: Date | null;
  applied: string[];
}
