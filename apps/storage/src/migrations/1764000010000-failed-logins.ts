import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Wrong passwords that were tried for an account, for its owner to see. */
export class FailedLogins1764000010000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE users ADD COLUMN failed_logins integer NOT NULL DEFAULT 0,
         ADD COLUMN failed_login_at timestamptz`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE users DROP COLUMN failed_logins, DROP COLUMN failed_login_at`);
  }
}
