import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Blocks between users, and how the gateways' copies of direct conversations learn of them. */
export class Blocks1764000004000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE blocks (
      user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
      blocked_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (user_id, blocked_id)
    )`);
    await runner.query(`CREATE INDEX blocks_blocked ON blocks (blocked_id, user_id)`);
    await runner.query(
      `ALTER TABLE conversations ADD COLUMN blocks_version integer NOT NULL DEFAULT 0`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE conversations DROP COLUMN blocks_version`);
    await runner.query(`DROP TABLE blocks`);
  }
}
