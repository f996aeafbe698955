import { SQL_FUNCTIONS } from '../sql-functions';

/** How long a function of another version is kept: no rolling upgrade takes longer. Days. */
const KEPT_DAYS = 30;

/** A connection, or a pool of them. */
interface Queries {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

interface Found {
  name: string;
  /** For `COMMENT ON FUNCTION` and `DROP FUNCTION`. */
  signature: string;
  /** It has been another version's for longer than {@link KEPT_DAYS}; null: nobody has noted when. */
  over: boolean | null;
}

/**
 * Installs what is missing. What other versions of the program call stays for a month behind the first
 * call that finds it there; instances of both run side by side meanwhile. To be called under a lock.
 */
export async function installFunctions(runner: Queries, functions = SQL_FUNCTIONS): Promise<void> {
  for (const { family, name, create } of functions) {
    await runner.query(create);
    const found = (await runner.query(FOUND, [family])) as Found[];
    for (const one of found) {
      if (one.name === name) await runner.query(`COMMENT ON FUNCTION ${one.signature} IS NULL`);
      else if (one.over === null) {
        const [{ note }] = (await runner.query(NOTE)) as [{ note: string }];
        await runner.query(`COMMENT ON FUNCTION ${one.signature} IS '${note}'`);
      } else if (one.over) await runner.query(`DROP FUNCTION ${one.signature}`);
    }
  }
}

/** Whether all are there. */
export async function hasFunctions(runner: Queries, functions = SQL_FUNCTIONS): Promise<boolean> {
  const names = functions.map(({ name }) => name);
  const found = (await runner.query(NAMES, [names])) as unknown[];
  return found.length === names.length;
}

const OURS = 'p.pronamespace = current_schema()::regnamespace';

const NAMES = `SELECT DISTINCT p.proname FROM pg_proc p WHERE ${OURS} AND p.proname = ANY ($1)`;

/** $1: the family. The oldest versions had no hash. */
const FOUND = `SELECT p.proname AS name, p.oid::regprocedure::text AS signature,
    substring(obj_description(p.oid, 'pg_proc') FROM '^superseded (.+)$')::timestamptz
      < now() - interval '${KEPT_DAYS} days' AS over
  FROM pg_proc p WHERE ${OURS} AND p.proname ~ ('^' || $1 || '(_[0-9a-f]{12})?$')`;

const NOTE = `SELECT 'superseded ' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS note`;
