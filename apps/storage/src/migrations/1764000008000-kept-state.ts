import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What syncs counted, kept for the next ones: see `kept-state.sql`. */
export class KeptState1764000008000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE conversations
      ADD COLUMN digest text COLLATE "C",
      ADD COLUMN digest_position bigint,
      ADD COLUMN digest_from bigint,
      ADD COLUMN digest_since timestamptz,
      ADD COLUMN digest_until timestamptz`);
    await runner.query(`ALTER TABLE members
      ADD COLUMN unread integer,
      ADD COLUMN unread_position bigint,
      ADD COLUMN unread_after bigint,
      ADD COLUMN unread_until timestamptz`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE members DROP COLUMN unread, DROP COLUMN unread_position,
      DROP COLUMN unread_after, DROP COLUMN unread_until`);
    await runner.query(`ALTER TABLE conversations DROP COLUMN digest, DROP COLUMN digest_position,
      DROP COLUMN digest_from, DROP COLUMN digest_since, DROP COLUMN digest_until`);
  }
}
