import { readFileSync, statSync } from 'node:fs';
import { Client } from 'pg';

/** One statement that PostgreSQL was asked for. */
export interface LoggedStatement {
  /** The server process, which is one connection. */
  process: string;
  /** Of a prepared statement; of others the text. */
  name: string;
}

const PREFIX = '%p|%a|';
const LINE = /^(\d+)\|([^|]*)\|LOG: {2}(?:statement|execute ([^:]+)): (.*)/;

/** Tells statements where nobody can have miscounted them: in PostgreSQL's own log. */
export class StatementLog {
  private begin = 0;

  private constructor(private readonly path: string) {}

  /** Has every statement logged from now on, of connections that are open, too. */
  static async start(server: { url: string; logPath: string }): Promise<StatementLog> {
    const sql = new Client({ connectionString: server.url });
    await sql.connect();
    try {
      await sql.query(`ALTER SYSTEM SET log_line_prefix = '${PREFIX}'`);
      await sql.query(`ALTER SYSTEM SET log_statement = 'all'`);
      await sql.query('SELECT pg_reload_conf()');
    } finally {
      await sql.end();
    }
    return new StatementLog(server.logPath);
  }

  /** Forgets what was logged so far. */
  clear(): void {
    this.begin = statSync(this.path).size;
  }

  /** What was asked since, by the applications of which this is true. */
  of(is: (application: string) => boolean): LoggedStatement[] {
    const text = readFileSync(this.path).subarray(this.begin).toString('utf8');
    return text.split('\n').flatMap((line) => {
      const [, process, by, name, statement] = LINE.exec(line) ?? [];
      if (process === undefined || !is(by!)) return [];
      const named = name !== undefined && name !== '<unnamed>';
      return [{ process, name: named ? name : statement! }];
    });
  }
}

/** What a connection was asked between a BEGIN and its end. */
export interface LoggedTransaction {
  /** How it began. */
  mode: string;
  /** Names, in their order. */
  statements: string[];
  ended: boolean;
}

/** Transactions in the order of their begins. */
export function transactionsOf(statements: readonly LoggedStatement[]): LoggedTransaction[] {
  const all: LoggedTransaction[] = [];
  const open = new Map<string, LoggedTransaction>();
  for (const { process, name } of statements) {
    const current = open.get(process);
    if (name.startsWith('BEGIN')) {
      const begun = { mode: name.slice('BEGIN'.length).trim(), statements: [], ended: false };
      open.set(process, begun);
      all.push(begun);
    } else if (current && /^(COMMIT|ROLLBACK)/.test(name)) {
      current.ended = true;
      open.delete(process);
    } else current?.statements.push(name);
  }
  return all;
}
