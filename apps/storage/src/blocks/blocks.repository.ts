import { Injectable } from '@nestjs/common';
import { Database, type Sql, type Statement } from '../database/database';

/** A block with the user whom it keeps away. */
export interface BlockRow {
  id: string;
  username: string;
  usernameKey: string;
  firstName: string;
  lastName: string | null;
  blockedAt: Date;
}

const ROW = `u.id, u.username, u.username_key AS "usernameKey", u.first_name AS "firstName",
  u.last_name AS "lastName", b.created_at AS "blockedAt"`;

/** Who takes no direct messages from whom. */
@Injectable()
export class BlocksRepository {
  constructor(private readonly database: Database) {}

  /** Adds a block; `added` is false when it was there. See {@link change} for `conversationId`. */
  async put(
    userId: string,
    blockedId: string,
  ): Promise<{ added: boolean; conversationId: string | null }> {
    const { changed, conversationId } = await this.change(userId, blockedId, {
      text: `INSERT INTO blocks (user_id, blocked_id) VALUES ($1, $2)
             ON CONFLICT DO NOTHING RETURNING 1`,
    });
    return { added: changed, conversationId };
  }

  /** Removes a block; `removed` is false when there was none. */
  async delete(
    userId: string,
    blockedId: string,
  ): Promise<{ removed: boolean; conversationId: string | null }> {
    const { changed, conversationId } = await this.change(userId, blockedId, {
      text: `DELETE FROM blocks WHERE user_id = $1 AND blocked_id = $2 RETURNING 1`,
    });
    return { removed: changed, conversationId };
  }

  /** A user's block of another one. */
  async get(userId: string, blockedId: string): Promise<BlockRow | null> {
    const [row] = await this.database.rows<BlockRow>(
      {
        text: `SELECT ${ROW} FROM blocks b JOIN users u ON u.id = b.blocked_id
               WHERE b.user_id = $1 AND b.blocked_id = $2`,
      },
      [userId, blockedId],
    );
    return row ?? null;
  }

  /** Whom a user blocks by name, behind the name `after`. */
  list(userId: string, after: string | null, limit: number): Promise<BlockRow[]> {
    return this.database.rows<BlockRow>(
      {
        text: `SELECT ${ROW} FROM blocks b JOIN users u ON u.id = b.blocked_id
               WHERE b.user_id = $1 AND ($2::text IS NULL OR u.username_key > $2::text COLLATE "C")
               ORDER BY u.username_key LIMIT $3`,
      },
      [userId, after, limit],
    );
  }

  /** Those of `userIds` who block a user. */
  async blocking(userIds: readonly string[], blockedId: string): Promise<string[]> {
    const rows = await this.database.rows<{ id: string }>(
      {
        name: 'blocks-blocking',
        text: `SELECT user_id AS id FROM blocks WHERE blocked_id = $1 AND user_id = ANY ($2::uuid[])`,
      },
      [blockedId, userIds],
    );
    return rows.map((row) => row.id);
  }

  /**
   * Changes a block and raises the version under which the direct conversation of the pair tells of
   * its blocks; null: they have none. A conversation that was being made meanwhile is looked for
   * again after the commit: it is seen now, or whoever reads it sees the block.
   */
  private async change(
    userId: string,
    blockedId: string,
    statement: Statement,
  ): Promise<{ changed: boolean; conversationId: string | null }> {
    const directKey = [userId, blockedId].sort().join(',');
    const done = await this.database.transaction('', async (sql) => ({
      changed: (await sql.rows(statement, [userId, blockedId])).length > 0,
      conversationId: await raise(sql, directKey),
    }));
    const conversationId = done.conversationId ?? (await raise(this.database, directKey));
    return { changed: done.changed, conversationId };
  }
}

async function raise(sql: Sql, directKey: string): Promise<string | null> {
  const [row] = await sql.rows<{ id: string }>(
    {
      text: `UPDATE conversations SET blocks_version = blocks_version + 1
             WHERE direct_key = $1 RETURNING id`,
    },
    [directKey],
  );
  return row?.id ?? null;
}
