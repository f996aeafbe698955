import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Uploads, and which messages show them. A trigger on `messages` keeps the second table in step with
 * whatever becomes of a message (applied, changed, deleted, expired), in the same transaction; rows
 * of other kinds do not reach it.
 */
export class Media1764000005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER messages_media_insert ON messages');
    await runner.query('DROP TRIGGER messages_media_update ON messages');
    await runner.query('DROP TRIGGER messages_media_delete ON messages');
    await runner.query('DROP FUNCTION follow_media');
    await runner.query('DROP TABLE media_uses');
    await runner.query('DROP TABLE media');
  }
}

const shows = (row: string): string => `${row}.kind IN ('image', 'file')`;

const STATEMENTS = [
  // keep_until null: nothing to be watched, messages show it.
  `CREATE TABLE media (
    conversation_id text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    type text NOT NULL,
    size bigint NOT NULL,
    width integer,
    height integer,
    etag text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    keep_until timestamptz,
    removing boolean NOT NULL DEFAULT false,
    PRIMARY KEY (conversation_id, id)
  )`,
  `CREATE INDEX media_id ON media (id)`,
  `CREATE INDEX media_keep ON media (keep_until)`,
  `CREATE TABLE media_uses (
    conversation_id text COLLATE "C" NOT NULL,
    message_id uuid NOT NULL,
    media_id uuid NOT NULL,
    PRIMARY KEY (conversation_id, message_id)
  )`,
  `CREATE INDEX media_uses_media ON media_uses (conversation_id, media_id)`,
  `CREATE FUNCTION follow_media() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    before_id uuid;
    after_id uuid;
  BEGIN
    IF TG_OP <> 'INSERT' THEN
      DELETE FROM media_uses
        WHERE conversation_id = OLD.conversation_id AND message_id = OLD.message_id
        RETURNING media_id INTO before_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NOT NEW.deleted AND ${shows('NEW')} THEN
      after_id := (NEW.content::json ->> 'mediaId')::uuid;
    END IF;
    IF after_id IS NOT NULL THEN
      INSERT INTO media_uses (conversation_id, message_id, media_id)
        VALUES (NEW.conversation_id, NEW.message_id, after_id);
      UPDATE media SET keep_until = NULL
        WHERE conversation_id = NEW.conversation_id AND id = after_id AND NOT removing;
    END IF;
    IF before_id IS NOT NULL AND before_id IS DISTINCT FROM after_id THEN
      UPDATE media SET keep_until = COALESCE(keep_until, now())
        WHERE conversation_id = OLD.conversation_id AND id = before_id
          AND NOT EXISTS (SELECT 1 FROM media_uses u
            WHERE u.conversation_id = OLD.conversation_id AND u.media_id = before_id);
    END IF;
    RETURN NULL;
  END $$`,
  `CREATE TRIGGER messages_media_insert AFTER INSERT ON messages
    FOR EACH ROW WHEN (${shows('NEW')}) EXECUTE FUNCTION follow_media()`,
  `CREATE TRIGGER messages_media_update AFTER UPDATE ON messages
    FOR EACH ROW WHEN (${shows('OLD')} OR ${shows('NEW')}) EXECUTE FUNCTION follow_media()`,
  `CREATE TRIGGER messages_media_delete AFTER DELETE ON messages
    FOR EACH ROW WHEN (${shows('OLD')}) EXECUTE FUNCTION follow_media()`,
];
