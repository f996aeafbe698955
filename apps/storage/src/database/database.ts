import { Pool, type PoolClient, type PoolConfig, type QueryResultRow } from 'pg';

/** Times in milliseconds. */
export interface DatabaseOptions {
  url: string;
  /** Shown in `pg_stat_activity`. */
  name: string;
  connections: number;
  /** Longest wait for a free or new connection. */
  connectWithin?: number;
  /** Longest statement; the server cancels it, the client gives up a little later. */
  statementWithin?: number;
}

const CONNECT_WITHIN_MS = 1_500;
const STATEMENT_WITHIN_MS = 2_000;
/** How much later the client gives up than the server should have: a hung server never answers. */
const CLIENT_GRACE_MS = 300;
const IDLE_TRANSACTION_MS = 2_000;
const KEEP_ALIVE_AFTER_MS = 10_000;
/** A new connection has to plan every statement anew: those of a rush are kept for the next one. */
const KEEP_IDLE_MS = 10 * 60_000;

/** The part of a connection that hand-written SQL needs. */
export interface Sql {
  /**
   * Runs a statement and returns its rows. Named ones are planned once per connection. Inside a
   * transaction those given in one turn travel together; no two of them may share a name.
   */
  rows<R extends QueryResultRow>(statement: Statement, values?: unknown[]): Promise<R[]>;
}

/** SQL text; with a name it is prepared once per connection. Names are unique in this service. */
export interface Statement {
  name?: string;
  text: string;
}

/**
 * A bounded pool for hand-written SQL. Every promise settles: waiting for a connection, a statement
 * and an idle transaction are limited, and a connection whose statement failed to answer is closed.
 */
export class Database implements Sql {
  private readonly pool: Pool;

  constructor(options: DatabaseOptions, onError: (error: Error) => void) {
    const idleTimeoutMillis = KEEP_IDLE_MS;
    this.pool = new Pool({ ...poolConfig(options), pipeline: true, idleTimeoutMillis });
    // An idle connection that the server ends reports it here; the pool replaces it.
    this.pool.on('error', onError);
    // One that is lost while in use says so by an event, beside failing its statement.
    this.pool.on('connect', (client) => client.on('error', ignore));
  }

  async rows<R extends QueryResultRow>(statement: Statement, values: unknown[] = []): Promise<R[]> {
    const result = await this.pool.query<R>({ ...statement, values });
    return result.rows;
  }

  /** Runs `work` in a transaction; commits its success, rolls back whatever it throws. */
  async transaction<T>(mode: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let failure: unknown;
    try {
      await client.query(`BEGIN ${mode}`);
      const result = await work(sqlOf(client));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      failure = await rollback(client, error);
      throw error;
    } finally {
      client.release(failure instanceof Error ? failure : false);
    }
  }

  /**
   * Runs `work`, which only reads, on one snapshot. Its first statements travel with the begin of the
   * transaction, and its result does not wait for the end.
   */
  async snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      const begun = client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const [result] = await Promise.all([work(sqlOf(client)), begun]);
      void end(client, 'COMMIT');
      return result;
    } catch (error) {
      await end(client, 'ROLLBACK');
      throw error;
    }
  }

  /** Runs `work` on a connection of its own, for session-level locks; it is closed on failure. */
  async onConnection<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken = true;
    try {
      const result = await work(sqlOf(client));
      broken = false;
      return result;
    } finally {
      client.release(broken);
    }
  }

  /** Connections in use and callers that wait for one. */
  load(): { busy: number; waiting: number } {
    return { busy: this.pool.totalCount - this.pool.idleCount, waiting: this.pool.waitingCount };
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

/** Settings of every connection of this service. */
export function poolConfig(options: DatabaseOptions): PoolConfig {
  const statement = options.statementWithin ?? STATEMENT_WITHIN_MS;
  return {
    connectionString: options.url,
    application_name: options.name,
    max: options.connections,
    connectionTimeoutMillis: options.connectWithin ?? CONNECT_WITHIN_MS,
    statement_timeout: statement,
    query_timeout: statement + CLIENT_GRACE_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    // Partitioned tables are expensive to plan and cheap to prune when executed.
    options: '-c plan_cache_mode=force_generic_plan -c timezone=UTC',
  };
}

/** Whatever is asked of a lost connection fails, which is where it is noticed. */
function ignore(): void {}

function sqlOf(client: PoolClient): Sql {
  return {
    rows: async (statement, values = []) => (await client.query({ ...statement, values })).rows,
  };
}

/** Ends a transaction in which nothing was written, and gives its connection back. Never rejects. */
async function end(client: PoolClient, how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
  let broken = false;
  try {
    await client.query(how);
  } catch {
    broken = true;
  }
  client.release(broken);
}

/** Returns the error when the connection is not to be used again. */
async function rollback(client: PoolClient, error: unknown): Promise<unknown> {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch {
    return error instanceof Error ? error : new Error(String(error));
  }
}
