import { Injectable } from '@nestjs/common';
import type { HistoryMode } from '@tidings/protocol/content';
import type { Conversation, Member } from '@tidings/protocol/http';
import type { ConversationKind } from '@tidings/protocol/content';
import type { ConversationRouting, Interval } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import { Database, type Sql } from '../database/database';
import { stateDigest } from '../domain/state-digest';
import { type MessageRow, sha256, toMessage } from '../messages/message.mapper';
import { GET_VIEW, LIST_VIEWS, ROUTING } from './conversation-views.sql';

/** A conversation that is being made, with its creation event. */
export interface NewConversation {
  id: string;
  kind: ConversationKind;
  createdAt: Date;
  createdBy: string;
  directKey: string | null;
  requestId: string | null;
  title: string | null;
  messageTtlSeconds: number | null;
  history: HistoryMode;
  partition: number;
  memberIds: string[];
  /** Null: all are plain members. */
  ownerId: string | null;
  event: { messageId: string; json: string };
}

/** Where a list goes on: time (µs) and id of its last item. */
export interface ListPosition {
  lastAtUs: string;
  id: string;
}

interface ViewRow extends Omit<MessageRow, 'conversation_id' | 'message_id'> {
  id: string;
  kind: ConversationKind;
  title: string | null;
  created_at: Date;
  message_ttl_seconds: number | null;
  last_position: string;
  last_at_us: string;
  from_position: string;
  members: Member[] | null;
  member_count: number;
  unread: number;
  /** Kept; else null, and `lines` to compute it from. */
  digest: string | null;
  lines: string[] | null;
  message_id: string | null;
}

interface RoutingRow {
  applied: string[];
  id: string | null;
  kind: ConversationKind;
  version: number;
  message_ttl_seconds: number | null;
  members: Interval[] | null;
  pending: boolean | null;
  blocks_version: number;
  blocked: string[] | null;
  last_position: string;
}

/** Conversations and their members. */
@Injectable()
export class ConversationsRepository {
  constructor(private readonly database: Database) {}

  /** Id of the direct conversation of a pair. */
  async directId(directKey: string): Promise<{ id: string; inLog: boolean } | null> {
    const [row] = await this.database.rows<{ id: string; inLog: boolean }>(
      {
        name: 'conversation-direct',
        text: `SELECT id, created_position IS NOT NULL AS "inLog" FROM conversations
               WHERE direct_key = $1`,
      },
      [directKey],
    );
    return row ?? null;
  }

  /** Id of the group that a user made under this request id. */
  async requestedId(
    createdBy: string,
    requestId: string,
  ): Promise<{ id: string; inLog: boolean } | null> {
    const [row] = await this.database.rows<{ id: string; inLog: boolean }>(
      {
        name: 'conversation-requested',
        text: `SELECT id, created_position IS NOT NULL AS "inLog" FROM conversations
               WHERE created_by = $1 AND request_id = $2`,
      },
      [createdBy, requestId],
    );
    return row ?? null;
  }

  /**
   * Writes a new conversation, its founders and the outbox row of its creation, or nothing: false
   * when the pair, or the creator under this request id, has a conversation already.
   */
  create(conversation: NewConversation): Promise<boolean> {
    return this.database.transaction('', async (sql) => {
      if (!(await insertConversation(sql, conversation))) return false;
      await sql.rows(
        {
          text: `INSERT INTO members (conversation_id, user_id, role, from_position)
                 SELECT $1, u, CASE WHEN u = $3 THEN 'owner' ELSE 'member' END, 0
                 FROM unnest($2::uuid[]) u`,
        },
        [conversation.id, conversation.memberIds, conversation.ownerId],
      );
      await sql.rows(
        {
          text: `INSERT INTO outbox (message_id, conversation_id, version, event, due_at)
                 VALUES ($1, $2, 1, $3, now() + interval '2 seconds')`,
        },
        [conversation.event.messageId, conversation.id, conversation.event.json],
      );
      return true;
    });
  }

  /** The conversation as a member sees it; null for outsiders and while it is not in the log. */
  async view(userId: string, conversationId: string): Promise<Conversation | null> {
    const [row] = await this.database.rows<ViewRow>(GET_VIEW, [userId, conversationId]);
    return row ? toConversation(row) : null;
  }

  /**
   * A user's conversations, newest entry first, and whether there are more: at most `limit`, and as
   * many as fit into an answer.
   */
  async list(
    userId: string,
    after: ListPosition | null,
    limit: number,
  ): Promise<{ rows: { conversation: Conversation; at: ListPosition }[]; more: boolean }> {
    const values = [userId, after?.lastAtUs ?? null, after?.id ?? null, limit + 1];
    const found = await this.database.rows<ViewRow & { found: number }>(LIST_VIEWS, values);
    const rows = found.slice(0, limit).map((row) => ({
      conversation: toConversation(row),
      at: { lastAtUs: row.last_at_us, id: row.id },
    }));
    return { rows, more: rows.length < (found[0]?.found ?? 0) };
  }

  /** Routing data of the known conversations, and how far each partition is applied: one snapshot. */
  async routing(
    topic: string,
    wanted: readonly { conversationId: string; below?: string | undefined }[],
  ): Promise<{ items: ConversationRouting[]; applied: string[] }> {
    const rows = await this.database.rows<RoutingRow>(ROUTING, [
      topic,
      wanted.map((w) => w.conversationId),
      wanted.map((w) => w.below ?? null),
    ]);
    return {
      items: rows.flatMap((row) => (row.id === null ? [] : [toRouting(row, row.id)])),
      applied: rows[0]?.applied ?? [],
    };
  }
}

async function insertConversation(sql: Sql, conversation: NewConversation): Promise<boolean> {
  const { id, kind, createdAt, createdBy, directKey, partition } = conversation;
  const { requestId, title, messageTtlSeconds, history } = conversation;
  const rows = await sql.rows(
    {
      // Without a target: two instances may make the same id in the same millisecond.
      text: `INSERT INTO conversations
               (id, kind, created_at, created_by, direct_key, version, partition, last_at,
                request_id, title, message_ttl_seconds, history)
             VALUES ($1, $2, $3, $4, $5, 1, $6, $3, $7, $8, $9, $10)
             ON CONFLICT DO NOTHING RETURNING id`,
    },
    [
      id,
      kind,
      createdAt,
      createdBy,
      directKey,
      partition,
      requestId,
      title,
      messageTtlSeconds,
      history,
    ],
  );
  return rows.length > 0;
}

function toConversation(row: ViewRow): Conversation {
  const { members, message_id, last_position, message_ttl_seconds, title } = row;
  return {
    id: row.id,
    kind: row.kind,
    ...(title !== null && { title }),
    createdAt: row.created_at.toISOString(),
    visibleFrom: row.from_position,
    ...(message_ttl_seconds !== null && { messageTtlSeconds: message_ttl_seconds }),
    memberCount: row.member_count,
    ...(members && members.length <= LIMITS.membersInline && { members }),
    ...(last_position !== '0' && { lastPosition: last_position }),
    unread: row.unread,
    digest: stateDigest(sha256, row.digest ?? row.lines ?? []),
    ...(message_id !== null && {
      lastMessage: toMessage({ ...row, message_id, conversation_id: row.id }),
    }),
  };
}

function toRouting(row: RoutingRow, conversationId: string): ConversationRouting {
  const { kind, version, members, pending, last_position, message_ttl_seconds } = row;
  const { blocked, blocks_version } = row;
  return {
    conversationId,
    kind,
    version,
    members: members ?? [],
    ...(pending && { pending }),
    lastPosition: last_position,
    ...(message_ttl_seconds !== null && { messageTtlSeconds: message_ttl_seconds }),
    ...(blocked && { blocked }),
    ...(blocks_version > 0 && { blocksVersion: blocks_version }),
  };
}
