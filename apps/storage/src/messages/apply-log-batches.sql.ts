import { sqlFunction } from '../database/sql-function';

/**
 * Applies batches of several partitions, whose cost is paid once for all of them.
 *
 * One statement, so that a stopped instance never holds its locks while idle. The fences come first:
 * a zombie, a replay and a crash all end there; when some of several refuse, all is undone.
 *
 * Locks are taken in the order conversations, outbox, members, as everywhere. Whoever deletes an
 * outbox row settles the membership that its change began or ended; the position is that of the
 * entry, the first of its id.
 *
 * Null arrays: `extras_texts`: no message has any; `change_*`: there are no changes. A change comes
 * behind its message in the log, so messages go first. Of the changes of a message the first deletion
 * counts, else the last edit; a deletion is final.
 *
 * What has expired when it is applied is stored without content, extras and hash, also a change of it,
 * and the upload that it would have shown goes with the next sweep.
 *
 * Without partition pruning: PostgreSQL 18.0 crashes when a statement whose plan prunes partitions as it runs
 * meets a row that another transaction has just changed. Only changes and events look into partitions here.
 */
export const APPLY_LOG_BATCHES = sqlFunction(
  'apply_log_batches',
  `(
  batch_topic text, batch_epoch integer,
  batch_partitions smallint[], first_offsets bigint[], next_offsets bigint[],
  conversation_ids text[], message_ids uuid[], positions bigint[], sender_ids uuid[],
  sent_ats timestamptz[], expires_ats timestamptz[], kinds text[], hashes text[], contents text[],
  extras_texts text[],
  change_conversations text[], change_ids uuid[], change_positions bigint[],
  change_messages uuid[], change_users uuid[], change_hashes text[], change_contents text[],
  OUT applied boolean, OUT inserted integer
) LANGUAGE plpgsql SET enable_partition_pruning = off AS $$
DECLARE
  passed integer;
  events uuid[];
  changed integer;
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
  IF NOT applied OR (cardinality(message_ids) = 0 AND change_ids IS NULL) THEN
    RETURN;
  END IF;
  PERFORM set_config('synchronous_commit', 'off', true);
  WITH entry AS (
    INSERT INTO messages AS m (conversation_id, message_id, position, sender_id, sent_at,
                               expires_at, kind, content_hash, content, extras)
    SELECT g.conversation_id, g.message_id, g.position, g.sender_id, g.sent_at, g.expires_at, g.kind,
           CASE WHEN g.expires_at <= now() THEN NULL ELSE g.hash END,
           CASE WHEN g.expires_at <= now() THEN NULL ELSE g.content END,
           CASE WHEN g.expires_at <= now() THEN NULL ELSE g.extras END
      FROM unnest(conversation_ids, message_ids, positions, sender_ids, sent_ats,
                  expires_ats, kinds, hashes, contents, extras_texts)
        AS g (conversation_id, message_id, position, sender_id, sent_at,
              expires_at, kind, hash, content, extras)
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
  IF EXISTS (SELECT 1 FROM unnest(expires_ats, kinds) AS g (expires_at, kind)
             WHERE g.expires_at <= now() AND g.kind IN ('image', 'file')) THEN
    UPDATE media d SET keep_until = now()
      FROM unnest(conversation_ids, expires_ats, kinds, contents)
        AS g (conversation_id, expires_at, kind, content)
     WHERE g.expires_at <= now() AND g.kind IN ('image', 'file')
       AND d.conversation_id = g.conversation_id
       AND d.id = (g.content::json ->> 'mediaId')::uuid
       AND NOT EXISTS (SELECT 1 FROM media_uses u
             WHERE u.conversation_id = d.conversation_id AND u.media_id = d.id);
  END IF;
  IF events IS NOT NULL THEN
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
  END IF;
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
       SET version = w.position, deleted = w.content IS NULL,
           content = CASE WHEN m.expires_at <= now() THEN NULL ELSE w.content END,
           extras = CASE WHEN w.content IS NULL OR m.expires_at <= now() THEN NULL ELSE m.extras END,
           content_hash = CASE WHEN w.content IS NULL OR m.expires_at <= now() THEN NULL
                               ELSE m.content_hash END
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
   WHERE (m.deleted OR m.expires_at <= now()) AND h.hash IS NOT NULL
     AND h.conversation_id = g.conversation_id AND h.message_id = g.message_id;
  RETURN;
END $$`,
);
