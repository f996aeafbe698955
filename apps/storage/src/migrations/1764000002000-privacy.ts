import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a user lets others see and do. Watermarks themselves are in `members` from the start. */
export class Privacy1764000002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE users
      ADD COLUMN privacy_last_seen text NOT NULL DEFAULT 'everyone'
        CHECK (privacy_last_seen IN ('everyone', 'contacts', 'nobody')),
      ADD COLUMN privacy_read_receipts boolean NOT NULL DEFAULT true,
      ADD COLUMN privacy_messages text NOT NULL DEFAULT 'everyone'
        CHECK (privacy_messages IN ('everyone', 'contacts')),
      ADD COLUMN privacy_groups text NOT NULL DEFAULT 'everyone'
        CHECK (privacy_groups IN ('everyone', 'contacts')),
      ADD COLUMN privacy_find_by_email boolean NOT NULL DEFAULT false`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE users
      DROP COLUMN privacy_last_seen, DROP COLUMN privacy_read_receipts,
      DROP COLUMN privacy_messages, DROP COLUMN privacy_groups, DROP COLUMN privacy_find_by_email`);
  }
}
