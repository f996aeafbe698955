import { DataSource } from 'typeorm';
import { LastSeenEntity, PRESENCE_SCHEMA } from './last-seen.entity';
import { LastSeen1763700000000 } from './migrations/1763700000000-last-seen';
import { pause } from '@tidings/common/runtime/waiting';

/** Longest wait for a connection and for a statement, in milliseconds. */
const CONNECT_WITHIN_MS = 1_000;
const STATEMENT_WITHIN_MS = 1_500;
/** How much later the client gives up than the server should have. */
const CLIENT_GRACE_MS = 200;
/** Key of the advisory lock under which instances that start at once take turns. */
const MIGRATION_LOCK = 7_305_541_873;
/** How long the lock is waited for, and between two tries, milliseconds. */
const LOCK_PAUSE_MS = 100;
const LOCK_WITHIN_MS = 60_000;

/** This service's database, not connected yet. Every statement settles within two seconds. */
export function presenceDataSource(options: {
  url: string;
  /** Shown in `pg_stat_activity`. */
  name: string;
  connections: number;
}): DataSource {
  return new DataSource({
    type: 'postgres',
    url: options.url,
    schema: PRESENCE_SCHEMA,
    applicationName: options.name,
    poolSize: options.connections,
    extra: {
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
      statement_timeout: STATEMENT_WITHIN_MS,
      query_timeout: STATEMENT_WITHIN_MS + CLIENT_GRACE_MS,
      keepAlive: true,
    },
    entities: [LastSeenEntity],
    migrations: [LastSeen1763700000000],
    migrationsTableName: 'migrations',
    installExtensions: false,
    // An idle connection that the server ends is replaced at its next use.
    poolErrorHandler: () => undefined,
  });
}

/**
 * Brings the schema up to date. Instances that start at once take turns; whoever comes later finds
 * nothing to do. Rejects when the database does not answer or the lock is not free within a minute.
 */
export async function migrate(database: DataSource): Promise<void> {
  const runner = database.createQueryRunner();
  try {
    await lock(runner.query.bind(runner));
    await runner.query(`CREATE SCHEMA IF NOT EXISTS ${PRESENCE_SCHEMA}`);
    await database.runMigrations({ transaction: 'each' });
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  } finally {
    await runner.release();
  }
}

/** Polls, because a statement that waited for the lock would meet the statement timeout. */
async function lock(query: (text: string, values: unknown[]) => Promise<unknown>): Promise<void> {
  const end = performance.now() + LOCK_WITHIN_MS;
  for (;;) {
    const rows = (await query('SELECT pg_try_advisory_lock($1) AS taken', [MIGRATION_LOCK])) as {
      taken: boolean;
    }[];
    if (rows[0]?.taken) return;
    if (performance.now() > end) throw new Error('another instance holds the migration lock');
    await pause(LOCK_PAUSE_MS);
  }
}
