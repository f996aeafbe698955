import { valuesOf } from '@tidings/common/runtime/one-by-one';
import type { DataSource } from 'typeorm';
import type { Clocks } from './domain/clocks';

interface Row {
  user_id: string;
  last_seen_at: Date;
  active_at: Date | null;
  connected_at: Date | null;
}

/** The users' clocks in PostgreSQL. */
export class LastSeenRepository {
  constructor(private readonly database: Pick<DataSource, 'query'>) {}

  /**
   * Raises the clocks of many users in one statement; none ever goes back. Sorted by user id by the
   * caller, so that two instances never wait for each other.
   */
  async raise(clocks: readonly Clocks[]): Promise<void> {
    if (clocks.length === 0) return;
    await this.database.query(
      `INSERT INTO presence.last_seen AS known (user_id, last_seen_at, active_at, connected_at)
      SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
      ON CONFLICT (user_id) DO UPDATE SET
        last_seen_at = GREATEST(known.last_seen_at, excluded.last_seen_at),
        active_at = GREATEST(known.active_at, excluded.active_at),
        connected_at = GREATEST(known.connected_at, excluded.connected_at)`,
      valuesOf(() => [
        clocks.map((c) => c.userId),
        clocks.map((c) => new Date(c.lastSeenAtMs)),
        clocks.map((c) => date(c.activeAtMs)),
        clocks.map((c) => date(c.connectedAtMs)),
      ]),
    );
  }

  /** The clocks of these users, by user id; who was never seen is left out. */
  async find(userIds: readonly string[]): Promise<Map<string, Clocks>> {
    const rows = (await this.database.query(
      `SELECT user_id, last_seen_at, active_at, connected_at
      FROM presence.last_seen WHERE user_id = ANY($1::uuid[])`,
      [userIds],
    )) as Row[];
    return new Map(
      rows.map((row) => [
        row.user_id,
        {
          userId: row.user_id,
          lastSeenAtMs: row.last_seen_at.getTime(),
          activeAtMs: row.active_at?.getTime() ?? null,
          connectedAtMs: row.connected_at?.getTime() ?? null,
        },
      ]),
    );
  }

  /** Rejects when the database does not answer. */
  async ping(): Promise<void> {
    await this.database.query('SELECT 1');
  }
}

function date(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
