import type { MigrationInterface, QueryRunner } from 'typeorm';
import { APPLY_LOG_BATCH as APPLY_LOG_BATCH_BEFORE } from './1763700000000-initial';

/** Groups: which change settles a membership, when a member joined, what later members see. */
export class Groups1764000001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...COLUMNS, APPLY_LOG_BATCH]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION apply_log_batch');
    await runner.query(APPLY_LOG_BATCH_BEFORE);
    await runner.query(
      'ALTER TABLE members DROP COLUMN joined_position, DROP COLUMN changed_version',
    );
    await runner.query('ALTER TABLE conversations DROP COLUMN history');
  }
}

const COLUMNS = [
  `ALTER TABLE conversations ADD COLUMN history text NOT NULL DEFAULT 'joined'
    CONSTRAINT conversations_history_check CHECK (history IN ('joined', 'all'))`,
  `ALTER TABLE members
    ADD COLUMN changed_version integer NOT NULL DEFAULT 1,
    ADD COLUMN joined_position bigint NOT NULL DEFAULT 0`,
];

// Locks are taken in the order conversations, outbox, members, as everywhere. Whoever deletes an
// outbox row settles the membership that its change began or ended; the position is that of the
// entry, the first of its id.
const APPLY_LOG_BATCH = `CREATE OR REPLACE FUNCTION apply_log_batch(
    batch_topic text, batch_partition smallint, batch_epoch integer,
    first_offset bigint, next_offset bigint,
    conversation_ids text[], message_ids uuid[], positions bigint[], sender_ids uuid[],
    sent_ats timestamptz[], expires_ats timestamptz[], kinds text[], hashes text[], contents text[],
    OUT applied boolean, OUT inserted integer
  ) LANGUAGE plpgsql AS $$
  DECLARE
    events uuid[];
  BEGIN
    UPDATE log_progress SET next = next_offset
      WHERE topic = batch_topic AND partition = batch_partition AND epoch = batch_epoch
        AND next = first_offset;
    applied := FOUND;
    inserted := 0;
    IF NOT applied OR cardinality(message_ids) = 0 THEN
      RETURN;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    WITH entry AS (
      INSERT INTO messages AS m (conversation_id, message_id, position, sender_id, sent_at,
                                 expires_at, kind, content_hash, content)
      SELECT * FROM unnest(conversation_ids, message_ids, positions, sender_ids, sent_ats,
                           expires_ats, kinds, hashes, contents)
      ON CONFLICT DO NOTHING
      RETURNING m.conversation_id, m.message_id, m.position, m.sent_at, m.kind
    ), last AS (
      SELECT conversation_id, max(position) AS position, max(sent_at) AS at,
             min(position) FILTER (WHERE kind = 'event') AS first_event
        FROM entry GROUP BY conversation_id
    ), touched AS (
      UPDATE conversations c
         SET last_position = GREATEST(c.last_position, last.position),
             last_at = GREATEST(c.last_at, last.at),
             created_position = LEAST(c.created_position, last.first_event)
        FROM last WHERE c.id = last.conversation_id
    )
    SELECT count(*), array_agg(message_id) FILTER (WHERE kind = 'event')
      INTO inserted, events FROM entry;
    IF events IS NULL THEN
      RETURN;
    END IF;
    WITH done AS (
      DELETE FROM outbox o WHERE o.message_id = ANY (events)
      RETURNING o.conversation_id, o.message_id, o.version
    )
    UPDATE members m
       SET from_position = CASE WHEN m.from_position IS NOT NULL THEN m.from_position
                                WHEN c.history = 'all' THEN 0 ELSE x.position - 1 END,
           until_position = CASE WHEN m.from_position IS NOT NULL THEN x.position END,
           joined_position = CASE WHEN m.from_position IS NOT NULL THEN m.joined_position
                                  ELSE x.position END,
           pending = false
      FROM done
      JOIN conversations c ON c.id = done.conversation_id
      JOIN messages x ON x.conversation_id = done.conversation_id AND x.message_id = done.message_id
     WHERE m.conversation_id = done.conversation_id AND m.pending
       AND m.changed_version = done.version;
    RETURN;
  END $$`;
