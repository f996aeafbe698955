import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The first schema of the presence service. */
export class LastSeen1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE presence.last_seen (
        user_id uuid NOT NULL,
        last_seen_at timestamptz NOT NULL,
        active_at timestamptz,
        connected_at timestamptz,
        CONSTRAINT last_seen_pkey PRIMARY KEY (user_id)
      )`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE presence.last_seen');
  }
}
