import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The conversation of everybody: where a user's interval begins, their marks, and who wrote what to it. */
export class Broadcasts1764000014000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Whoever is here sees all of it: there is nothing yet.
    await runner.query('ALTER TABLE users ADD COLUMN everyone_from bigint NOT NULL DEFAULT 0');
    await runner.query(
      `CREATE TABLE everyone_marks (
         user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
         delivered bigint NOT NULL DEFAULT 0,
         read bigint NOT NULL DEFAULT 0,
         unread integer,
         unread_position bigint,
         unread_after bigint,
         unread_until timestamptz
       ) WITH (fillfactor = 80)`,
    );
    // No foreign keys: what was said stays, whatever becomes of the accounts.
    await runner.query(
      `CREATE TABLE broadcasts (
         message_id uuid PRIMARY KEY,
         sender_id uuid NOT NULL,
         device_id uuid NOT NULL,
         content text,
         content_hash text COLLATE "C" NOT NULL,
         created_at timestamptz NOT NULL,
         attempts integer NOT NULL DEFAULT 0,
         due_at timestamptz,
         position bigint,
         deleted_at timestamptz,
         deleted_by uuid,
         deleted_on uuid,
         change_id uuid
       )`,
    );
    await runner.query('CREATE INDEX broadcasts_created ON broadcasts (created_at)');
    await runner.query('CREATE INDEX broadcasts_position ON broadcasts (position)');
    await runner.query(
      'CREATE INDEX broadcasts_due ON broadcasts (due_at) WHERE due_at IS NOT NULL',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE broadcasts');
    await runner.query('DROP TABLE everyone_marks');
    await runner.query('ALTER TABLE users DROP COLUMN everyone_from');
  }
}
