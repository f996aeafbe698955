import type { MigrationInterface, QueryRunner } from 'typeorm';
import { APPLY_LOG_BATCH as BEFORE } from './1763700000000-initial';

/** `replyTo`, `mentions` and `meta` of messages. */
export class Changes1764000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE messages ADD COLUMN extras text');
    // An instance of the release before misses the function it knows, and waits: it must not apply
    // what it does not understand.
    await runner.query('DROP FUNCTION apply_log_batch');
    await runner.query(APPLY_LOG_BATCH);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION apply_log_batch');
    await runner.query(BEFORE);
    await runner.query('ALTER TABLE messages DROP COLUMN extras');
  }
}

/**
 * One batch of one partition in one statement, so that a stopped instance never holds its locks
 * while idle. The first statement is the fence: a zombie, a replay and a crash all end there.
 * `extras_texts` null: no message of the batch has any.
 */
const APPLY_LOG_BATCH = `CREATE FUNCTION apply_log_batch(
  batch_topic text, batch_partition smallint, batch_epoch integer,
  first_offset bigint, next_offset bigint,
  conversation_ids text[], message_ids uuid[], positions bigint[], sender_ids uuid[],
  sent_ats timestamptz[], expires_ats timestamptz[], kinds text[], hashes text[], contents text[],
  extras_texts text[],
  OUT applied boolean, OUT inserted integer
) LANGUAGE plpgsql AS $$
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
                               expires_at, kind, content_hash, content, extras)
    SELECT * FROM unnest(conversation_ids, message_ids, positions, sender_ids, sent_ats,
                         expires_ats, kinds, hashes, contents, extras_texts)
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
