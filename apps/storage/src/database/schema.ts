import type { DataSource } from 'typeorm';
import { isTransient } from '@tidings/common/runtime/database-errors';
import { openDataSource } from '../data-source';
import { hasFunctions, installFunctions } from './install-functions';
import { refuseLostCommits } from '@tidings/common/runtime/durability';
import { pause } from '@tidings/common/runtime/waiting';

/** The database's schema is not the one of this release. */
class SchemaError extends Error {
  constructor() {
    super("the database's schema is not current: run the prepare command (main.js prepare) first");
    this.name = 'SchemaError';
  }
}

const PAUSE_MS = 500;

/** Connects; waits up to `withinMs` for a database that is still starting. */
export async function waitForDatabase(
  url: string,
  name: string,
  withinMs: number,
): Promise<DataSource> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await openDataSource(url, name);
    } catch (error) {
      if (!isTransient(error) || performance.now() > deadline) throw error;
      await pause(PAUSE_MS);
    }
  }
}

/**
 * Connects to a database whose schema is current. Throws {@link SchemaError} when it is not, and
 * `EnvironmentError` when production is to use one that loses commits.
 */
export async function openCurrent(url: string, name: string, mode: string): Promise<DataSource> {
  const dataSource = await openDataSource(url, name);
  try {
    if (mode === 'production') await refuseLostCommits((text) => dataSource.query(text));
    await checkSchema(dataSource);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

/** Throws {@link SchemaError} when migrations or functions are missing. */
export async function checkSchema(dataSource: DataSource): Promise<void> {
  if (await dataSource.showMigrations()) throw new SchemaError();
  if (!(await hasFunctions(dataSource))) throw new SchemaError();
}

/** Keeps two processes from changing the schema at the same time. */
const MIGRATION_LOCK = 7_300;

/** Brings schema and functions up to date; safe to run at the same time elsewhere. */
export async function migrate(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.connect();
    // Waiting for another process may take longer than an ordinary statement.
    await runner.query('SET statement_timeout = 0');
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await dataSource.runMigrations({ transaction: 'all' });
    await installFunctions(runner);
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    await runner.query('RESET statement_timeout');
  } finally {
    await runner.release();
  }
}
