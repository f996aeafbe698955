import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Roles, accounts that are disabled, why sessions ended, and who did what. */
export class Roles1764000012000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE users ADD COLUMN disabled_at timestamptz');
    await runner.query(
      `ALTER TABLE devices ADD COLUMN session_end text
         CHECK (session_end IN ('logged_out', 'replaced', 'disabled'))`,
    );
    await runner.query(
      `CREATE TABLE user_roles (
         user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
         role text NOT NULL CHECK (role IN ('operator', 'broadcaster')),
         granted_at timestamptz NOT NULL DEFAULT now(),
         PRIMARY KEY (user_id, role)
       )`,
    );
    // No foreign keys: what was done stays, whatever becomes of the accounts.
    await runner.query(
      `CREATE TABLE audit (
         id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
         at timestamptz NOT NULL DEFAULT clock_timestamp(),
         actor uuid,
         origin text NOT NULL,
         action text NOT NULL,
         subject uuid,
         changed boolean NOT NULL,
         detail jsonb
       )`,
    );
    await runner.query('CREATE INDEX audit_at ON audit (at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE audit');
    await runner.query('DROP TABLE user_roles');
    await runner.query('ALTER TABLE devices DROP COLUMN session_end');
    await runner.query('ALTER TABLE users DROP COLUMN disabled_at');
  }
}
