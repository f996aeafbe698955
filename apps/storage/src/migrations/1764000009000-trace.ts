import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * When things happened to a message: written into the history, and passed by its receivers' marks.
 * The default costs the batch function nothing and needs no change of it; it is added in a second
 * step, so that rows from before do not claim the time of this migration.
 */
export class Trace1764000009000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE messages ADD COLUMN stored_at timestamptz`);
    await runner.query(`ALTER TABLE messages ALTER COLUMN stored_at SET DEFAULT now()`);
    await runner.query(
      `ALTER TABLE members ADD COLUMN delivered_at timestamptz, ADD COLUMN read_at timestamptz`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE members DROP COLUMN delivered_at, DROP COLUMN read_at`);
    await runner.query(`ALTER TABLE messages DROP COLUMN stored_at`);
  }
}
