import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';

/**
 * $1 at most: expired messages become tombstones; changes of them forget what they asked for. Which
 * uploads lose their last message, a trigger notes in the same transaction.
 */
const CLEAR = {
  name: 'expiry-clear',
  text: `WITH over AS (
      SELECT m.conversation_id, m.message_id FROM messages m
      WHERE m.expires_at <= now() AND m.content IS NOT NULL
      ORDER BY m.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ), cleared AS (
      UPDATE messages m SET content = NULL, extras = NULL, content_hash = NULL FROM over
      WHERE m.conversation_id = over.conversation_id AND m.message_id = over.message_id
      RETURNING m.conversation_id, m.message_id
    ), forgotten AS (
      UPDATE changes h SET hash = NULL FROM cleared c
      WHERE h.conversation_id = c.conversation_id AND h.message_id = c.message_id
        AND h.hash IS NOT NULL
    )
    SELECT count(*)::int AS count FROM cleared`,
};

/** $1 age in seconds, $2 at most: tombstones that nobody needs any more, with their changes. */
const REMOVE = {
  name: 'expiry-remove',
  text: `WITH over AS (
      SELECT m.conversation_id, m.message_id FROM messages m
      WHERE m.expires_at <= now() - $1 * interval '1 second' AND m.content IS NULL
      ORDER BY m.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ), removed AS (
      DELETE FROM messages m USING over
      WHERE m.conversation_id = over.conversation_id AND m.message_id = over.message_id
      RETURNING m.conversation_id, m.message_id
    ), forgotten AS (
      DELETE FROM changes h USING removed r
      WHERE h.conversation_id = r.conversation_id AND h.message_id = r.message_id
    )
    SELECT count(*)::int AS count FROM removed`,
};

/** $1 at most: acts of operators that are older than a year. */
const REMOVE_ACTS = {
  name: 'audit-remove',
  text: `WITH removed AS (
      DELETE FROM audit WHERE id IN (
        SELECT id FROM audit WHERE at < now() - interval '1 year' ORDER BY at LIMIT $1)
      RETURNING 1)
    SELECT count(*)::int AS count FROM removed`,
};

/** Keeps this advisory lock apart from others in the same database. */
const LOCK = 7_303;

/**
 * Ends the life of rows whose time is over. It needs no leader, which Kafka would have to name: whoever
 * has the lock does a step. Every statement is conditional besides, so that it would do no harm twice.
 */
@Injectable()
export class ExpiryRepository {
  constructor(private readonly database: Database) {}

  /** Takes content, extras and hashes out of expired messages; of how many, null: another instance does it. */
  clear(limit: number): Promise<number | null> {
    return this.count(CLEAR, [limit]);
  }

  /** Removes tombstones that expired so many seconds ago; how many, null as above. */
  removeTombstones(ageSeconds: number, limit: number): Promise<number | null> {
    return this.count(REMOVE, [ageSeconds, limit]);
  }

  /** Removes old acts from the audit; how many, null as above. */
  removeActs(limit: number): Promise<number | null> {
    return this.count(REMOVE_ACTS, [limit]);
  }

  /** The lock ends with the transaction, whatever happens to this process. */
  private count(sql: { name: string; text: string }, values: unknown[]): Promise<number | null> {
    return this.database.transaction('', async (step) => {
      const [lock] = await step.rows<{ mine: boolean }>(
        { name: 'expiry-lock', text: 'SELECT pg_try_advisory_xact_lock($1) AS mine' },
        [LOCK],
      );
      if (!lock?.mine) return null;
      const [row] = await step.rows<{ count: number }>(sql, values);
      return row?.count ?? 0;
    });
  }
}
