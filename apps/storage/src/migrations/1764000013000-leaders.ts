import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who does what only one instance of a service may do. */
export class Leaders1764000013000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `CREATE TABLE leaders (
         service text PRIMARY KEY,
         node_id text NOT NULL,
         boot_id uuid NOT NULL,
         term bigint NOT NULL,
         since timestamptz NOT NULL DEFAULT now()
       )`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE leaders');
  }
}
