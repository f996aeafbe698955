import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Batches of several partitions share a statement: its cost is paid once for all of them. The fences
 * come first, as before; when some of them refuse, all is undone.
 */
export class SharedBatches1764000000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(APPLY_LOG_BATCHES);
    await runner.query(DROP_SINGLE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION apply_log_batches');
  }
}

const DROP_SINGLE = `DROP FUNCTION IF EXISTS apply_log_batch`;

const APPLY_LOG_BATCHES = `CREATE FUNCTION apply_log_batches(
    batch_topic text, batch_epoch integer,
    batch_partitions smallint[], first_offsets bigint[], next_offsets bigint[],
    conversation_ids text[], message_ids uuid[], positions bigint[], sender_ids uuid[],
    sent_ats timestamptz[], expires_ats timestamptz[], kinds text[], hashes text[], contents text[],
    OUT applied boolean, OUT inserted integer
  ) LANGUAGE plpgsql AS $$
  DECLARE
    passed integer;
  BEGIN
    UPDATE log_progress p SET next = w.next
      FROM unnest(batch_partitions, first_offsets, next_offsets) AS w (partition, first, next)
      WHERE p.topic = batch_topic AND p.partition = w.partition AND p.epoch = batch_epoch
        AND p.next = w.first;
    GET DIAGNOSTICS passed = ROW_COUNT;
    applied := passed = cardinality(batch_partitions);
    inserted := 0;
    IF NOT applied AND passed > 0 THEN
      RAISE EXCEPTION 'fenced' USING ERRCODE = 'TD001';
    END IF;
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
    ), done AS (
      DELETE FROM outbox o USING entry WHERE entry.kind = 'event' AND o.message_id = entry.message_id
    )
    SELECT count(*) INTO inserted FROM entry;
    RETURN;
  END $$`;
