import { Injectable } from '@nestjs/common';
import { isTerm } from '../leader/leaders.repository';
import type { Database, Sql } from '../database/database';

/** A change whose record is to be appended. */
export interface OutboxRow {
  messageId: string;
  version: number;
  event: string;
  /** 1 at the first time; later ones may double the record. */
  attempts: number;
}

/** Keeps our advisory locks apart from those of others in the same database. */
const LOCK_SEED = 7_301;
/** How long the sweep leaves a row alone after attempt n: 2, 4, … at most 64 seconds. */
const DUE_AFTER = `interval '2 seconds' * power(2, LEAST(attempts, 5))`;

const CREATED = {
  name: 'outbox-created',
  text: `UPDATE conversations SET created_position = LEAST(created_position, $2::int8)
         WHERE id = $1`,
};

/** $1 message id, $2 position. */
const SETTLE = {
  name: 'outbox-settle',
  text: `WITH done AS (
      DELETE FROM outbox WHERE message_id = $1 RETURNING conversation_id, version)
    UPDATE members m
       SET from_position = CASE WHEN m.from_position IS NOT NULL THEN m.from_position
                                WHEN c.history = 'all' THEN 0 ELSE $2::int8 - 1 END,
           until_position = CASE WHEN m.from_position IS NOT NULL THEN $2::int8 END,
           joined_position = CASE WHEN m.from_position IS NOT NULL THEN m.joined_position
                                  ELSE $2::int8 END,
           pending = false
      FROM done JOIN conversations c ON c.id = done.conversation_id
     WHERE m.conversation_id = done.conversation_id AND m.pending
       AND m.changed_version = done.version`,
};

/** Open changes of conversations. Has connections of its own: each holds a lock while Kafka answers. */
@Injectable()
export class OutboxRepository {
  constructor(private readonly database: Database) {}

  /**
   * Runs `work` while no other instance appends for this conversation; null when another one does.
   * The lock ends with its connection, whatever happens to this process.
   */
  locked<T>(conversationId: string, work: (sql: Sql) => Promise<T>): Promise<T | null> {
    const key = [conversationId, LOCK_SEED];
    return this.database.onConnection(async (sql) => {
      const [row] = await sql.rows<{ locked: boolean }>(
        { text: 'SELECT pg_try_advisory_lock(hashtextextended($1, $2)) AS locked' },
        key,
      );
      if (!row?.locked) return null;
      const result = await work(sql);
      await sql.rows({ text: 'SELECT pg_advisory_unlock(hashtextextended($1, $2))' }, key);
      return result;
    });
  }

  /** The open changes of a conversation in their order; each counts as attempted from now on. */
  async take(sql: Sql, conversationId: string): Promise<OutboxRow[]> {
    const rows = await sql.rows<OutboxRow>(
      {
        text: `UPDATE outbox SET attempts = attempts + 1, due_at = now() + ${DUE_AFTER}
               WHERE conversation_id = $1
               RETURNING message_id AS "messageId", version, event, attempts`,
      },
      [conversationId],
    );
    return rows.sort((a, b) => a.version - b.version);
  }

  /**
   * A change's record is at this position, for the first time: the change is done, and so is the
   * membership that it began or ended. The batch writer does the same when it applies the record;
   * whoever deletes the row first settles it.
   */
  async done(
    sql: Sql,
    change: { messageId: string; conversationId: string; position: bigint; creates: boolean },
  ): Promise<void> {
    const { messageId, conversationId, position, creates } = change;
    if (creates) await sql.rows(CREATED, [conversationId, position]);
    await sql.rows(SETTLE, [messageId, position]);
  }

  /** Whether a conversation has no open change. */
  async isClear(conversationId: string): Promise<boolean> {
    const rows = await this.database.rows(
      { name: 'outbox-clear', text: 'SELECT 1 FROM outbox WHERE conversation_id = $1 LIMIT 1' },
      [conversationId],
    );
    return rows.length === 0;
  }

  /** Conversations with changes that nobody has brought into the log in time; none for a term that is over. */
  async overdue(limit: number, term: string): Promise<string[]> {
    const rows = await this.database.rows<{ id: string }>(
      {
        name: 'outbox-overdue',
        text: `SELECT DISTINCT conversation_id AS id FROM outbox WHERE due_at < now() AND ${isTerm(2)} LIMIT $1`,
      },
      [limit, term],
    );
    return rows.map((row) => row.id);
  }
}
