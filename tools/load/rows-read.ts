import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';

/**
 * A backend tells its counters at most once a second, and the last of them when it has been idle
 * for ten (pgstat.c: PGSTAT_IDLE_INTERVAL).
 */
const SETTLE_MS = 11_000;
/** On a busy machine its timer comes late: the sum has to stand still for so long, milliseconds. */
const STILL_MS = 2_000;

const SQL = `SELECT COALESCE(sum(seq_tup_read + idx_tup_fetch), 0)::float8 AS rows
  FROM pg_stat_user_tables WHERE relname ~ '^messages(_[0-9]+)?$'`;

/** How many rows of `messages` PostgreSQL has read, by all statements so far; takes 13 s or more. */
export async function messageRowsRead(client: Client, abort: AbortSignal): Promise<number> {
  await delay(SETTLE_MS, undefined, { signal: abort });
  for (let last = await rowsNow(client); ;) {
    await delay(STILL_MS, undefined, { signal: abort });
    const rows = await rowsNow(client);
    if (rows === last) return rows;
    last = rows;
  }
}

async function rowsNow(client: Client): Promise<number> {
  const { rows } = await client.query<{ rows: number }>(SQL);
  return rows[0]!.rows;
}
