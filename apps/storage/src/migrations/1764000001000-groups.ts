import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Groups: which change settles a membership, when a member joined, what later members see. */
export class Groups1764000001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of COLUMNS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
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
