import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Columns with what people wrote, or its hash. The planner needs nothing of them. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  messages: ['content', 'extras', 'content_hash'],
  changes: ['hash'],
  outbox: ['event'],
};

/**
 * PostgreSQL keeps samples of a column's values in its statistics, for as long as nobody analyses the
 * table again: texts that had expired were among them. Without a target none are taken.
 */
export class NoSamples1764000011000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await setTargets(runner, 0);
    await forgetSamples(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    // -1: as the server is set
    await setTargets(runner, -1);
  }
}

async function setTargets(runner: QueryRunner, target: number): Promise<void> {
  for (const [table, columns] of Object.entries(COLUMNS)) {
    const actions = columns.map((column) => `ALTER COLUMN ${column} SET STATISTICS ${target}`);
    // of a partitioned table it holds for the partitions, too
    await runner.query(`ALTER TABLE ${table} ${actions.join(', ')}`);
  }
}

/**
 * What was sampled before: an `ANALYZE` leaves it as it is, once the target is 0. From PostgreSQL 18 the
 * owner may clear it, before that a superuser; else it stays.
 */
async function forgetSamples(runner: QueryRunner): Promise<void> {
  const [can] = (await runner.query(
    `SELECT to_regprocedure('pg_clear_attribute_stats(text, text, text, boolean)') IS NOT NULL AS clear,
       current_setting('is_superuser') = 'on' AS remove`,
  )) as { clear: boolean; remove: boolean }[];
  for (const [table, columns] of Object.entries(COLUMNS)) {
    if (can?.clear) await runner.query(CLEAR, [table, columns]);
    else if (can?.remove) await runner.query(REMOVE, [table, columns]);
  }
}

/** $1: the table; itself and its partitions. */
const TABLES = `SELECT $1::regclass AS relid
  UNION SELECT relid FROM pg_partition_tree($1::regclass)`;

const CLEAR = `SELECT pg_clear_attribute_stats(s.schemaname, s.tablename, s.attname, s.inherited)
  FROM pg_stats s JOIN (${TABLES}) t
    ON t.relid = format('%I.%I', s.schemaname, s.tablename)::regclass
  WHERE s.attname = ANY ($2::text[])`;

const REMOVE = `DELETE FROM pg_statistic s USING (${TABLES}) t, pg_attribute a
  WHERE s.starelid = t.relid AND a.attrelid = t.relid AND a.attnum = s.staattnum
    AND a.attname = ANY ($2::text[])`;
