import type { MigrationInterface, QueryRunner } from 'typeorm';
import { APPLY_LOG_BATCH as BEFORE } from './1763700000000-initial';

/** `replyTo`, `mentions` and `meta` of messages; edits and deletions. */
export class Changes1764000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE messages ADD COLUMN extras text');
    for (const statement of CHANGES) await runner.query(statement);
    // An instance of the release before misses the function it knows, and waits: it must not pass
    // over what it does not understand.
    await runner.query('DROP FUNCTION apply_log_batch');
    await runner.query(APPLY_LOG_BATCH);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION apply_log_batch');
    await runner.query(BEFORE);
    await runner.query('DROP TABLE changes');
    await runner.query('ALTER TABLE messages DROP COLUMN extras');
  }
}

const CHANGES = [
  `CREATE TABLE changes (
    conversation_id text COLLATE "C" NOT NULL,
    change_id uuid NOT NULL,
    position bigint NOT NULL,
    message_id uuid NOT NULL,
    user_id uuid NOT NULL,
    hash text COLLATE "C",
    PRIMARY KEY (conversation_id, change_id),
    CONSTRAINT changes_position UNIQUE (conversation_id, position)
  )`,
  `CREATE INDEX changes_message ON changes (conversation_id, message_id)`,
];

/**
 * One batch of one partition in one statement, so that a stopped instance never holds its locks
 * while idle. The first statement is the fence: a zombie, a replay and a crash all end there.
 *
 * Null arrays: `extras_texts`: no message of the batch has any; `change_*`: it has no changes. A
 * change comes behind its message in the log, so messages go first. Of the changes of a message the
 * first deletion counts, else the last edit; a deletion is final.
 */
const APPLY_LOG_BATCH = `CREATE FUNCTION apply_log_batch(
  batch_topic text, batch_partition smallint, batch_epoch integer,
  first_offset bigint, next_offset bigint,
  conversation_ids text[], message_ids uuid[], positions bigint[], sender_ids uuid[],
  sent_ats timestamptz[], expires_ats timestamptz[], kinds text[], hashes text[], contents text[],
  extras_texts text[],
  change_conversations text[], change_ids uuid[], change_positions bigint[],
  change_messages uuid[], change_users uuid[], change_hashes text[], change_contents text[],
  OUT applied boolean, OUT inserted integer
) LANGUAGE plpgsql AS $$
DECLARE
  changed integer;
BEGIN
  UPDATE log_progress SET next = next_offset
    WHERE topic = batch_topic AND partition = batch_partition AND epoch = batch_epoch
      AND next = first_offset;
  applied := FOUND;
  inserted := 0;
  IF NOT applied OR (cardinality(message_ids) = 0 AND change_ids IS NULL) THEN
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
  IF change_ids IS NULL THEN
    RETURN;
  END IF;
  WITH given AS (
    SELECT * FROM unnest(change_conversations, change_ids, change_positions, change_messages,
                         change_users, change_hashes, change_contents)
      AS g (conversation_id, change_id, position, message_id, user_id, hash, content)
  ), fresh AS (
    INSERT INTO changes AS h (conversation_id, change_id, position, message_id, user_id, hash)
    SELECT g.conversation_id, g.change_id, g.position, g.message_id, g.user_id, g.hash
      FROM given g ORDER BY g.position
    ON CONFLICT DO NOTHING
    RETURNING h.conversation_id, h.position
  ), won AS (
    SELECT DISTINCT ON (g.conversation_id, g.message_id) g.*
      FROM given g
      JOIN fresh f ON f.conversation_id = g.conversation_id AND f.position = g.position
      JOIN messages m ON m.conversation_id = g.conversation_id AND m.message_id = g.message_id
       AND m.position < g.position
     ORDER BY g.conversation_id, g.message_id, g.content IS NULL DESC,
              CASE WHEN g.content IS NULL THEN g.position ELSE -g.position END
  ), written AS (
    UPDATE messages m
       SET version = w.position, deleted = w.content IS NULL, content = w.content,
           extras = CASE WHEN w.content IS NULL THEN NULL ELSE m.extras END,
           content_hash = CASE WHEN w.content IS NULL THEN NULL ELSE m.content_hash END
      FROM won w
     WHERE m.conversation_id = w.conversation_id AND m.message_id = w.message_id
       AND NOT m.deleted AND m.kind <> 'event' AND m.version < w.position
  ), last AS (
    SELECT conversation_id, max(position) AS position FROM fresh GROUP BY conversation_id
  ), touched AS (
    UPDATE conversations c SET last_position = GREATEST(c.last_position, last.position)
      FROM last WHERE c.id = last.conversation_id
  )
  SELECT count(*) INTO changed FROM fresh;
  inserted := inserted + changed;
  UPDATE changes h SET hash = NULL
    FROM (SELECT DISTINCT * FROM unnest(change_conversations, change_messages)
            AS g (conversation_id, message_id)) g
    JOIN messages m ON m.conversation_id = g.conversation_id AND m.message_id = g.message_id
   WHERE m.deleted AND h.hash IS NOT NULL
     AND h.conversation_id = g.conversation_id AND h.message_id = g.message_id;
  RETURN;
END $$`;
