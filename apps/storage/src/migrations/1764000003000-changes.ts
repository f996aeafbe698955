import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `replyTo`, `mentions` and `meta` of messages; edits and deletions. */
export class Changes1764000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE messages ADD COLUMN extras text');
    for (const statement of CHANGES) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
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
