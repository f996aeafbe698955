import type { RewriteOutcome } from '@tidings/common/redis/append-only-file';
import { Client, DatabaseError } from 'pg';

/** Tables whose rows have, or had, what people wrote. */
const TABLES = 'messages, changes, outbox';
const CONNECT_WITHIN_MS = 5_000;
/** Longest step; looking through tables of hundreds of gigabytes takes minutes. */
const STEP_WITHIN_MS = 10 * 60_000;
/** Of VACUUM: rests so long after each small piece of work, milliseconds; autovacuum does the same. */
const REST_MS = 2;
const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Has PostgreSQL remove its write-ahead log up to now. First dead rows leave their pages: a page that
 * changes after a checkpoint is written to the log as a whole. Then a new file of the log is begun, and
 * with the checkpoint the older ones are not needed any more. Whether their bytes go at once, is the
 * server's setting: `wal_recycle = off` removes the files instead of using them again.
 */
export class WriteAheadLog {
  private client: Client | undefined;

  constructor(private readonly options: { url: string; name: string }) {}

  /** `refused`: the role may not do it: it needs `pg_checkpoint` and EXECUTE on `pg_switch_wal`. */
  async rewrite(): Promise<RewriteOutcome> {
    const client = new Client({
      connectionString: this.options.url,
      application_name: this.options.name,
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
      statement_timeout: STEP_WITHIN_MS,
      query_timeout: STEP_WITHIN_MS + CONNECT_WITHIN_MS,
    });
    // its statements fail by themselves
    client.on('error', () => undefined);
    this.client = client;
    try {
      await client.connect();
      await client.query(`SET vacuum_cost_delay = ${REST_MS}`);
      await client.query(`VACUUM (SKIP_LOCKED, TRUNCATE false, PARALLEL 0) ${TABLES}`);
      await client.query('SELECT pg_switch_wal()');
      await client.query('CHECKPOINT');
      return 'done';
    } catch (error) {
      if (error instanceof DatabaseError && error.code === INSUFFICIENT_PRIVILEGE) return 'refused';
      throw error;
    } finally {
      this.client = undefined;
      await client.end().catch(() => undefined);
    }
  }

  /** Ends the step that runs: the server does the rest of it, or not. */
  async stop(): Promise<void> {
    await this.client?.end().catch(() => undefined);
  }
}
