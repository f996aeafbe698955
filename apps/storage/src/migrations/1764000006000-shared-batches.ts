import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Batches of several partitions share a statement. The function for it was made here once; functions
 * are no part of the schema any more (`database/sql-function.ts`).
 */
export class SharedBatches1764000006000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // An instance of the release before misses the function it knows, and waits: it must not pass
    // over what it does not understand.
    await runner.query('DROP FUNCTION IF EXISTS apply_log_batch');
  }

  async down(): Promise<void> {
    // Nothing that belongs to the schema.
  }
}
