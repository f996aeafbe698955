import { Injectable } from '@nestjs/common';
import { Database, type Sql } from '../database/database';

/** A device's session, as tokens depend on it. */
export interface SessionRow {
  userId: string;
  deviceId: string;
  generation: number;
}

/** A refresh token and its device, locked. */
export interface TokenRow extends SessionRow {
  loggedIn: boolean;
  issued: number;
  confirmed: number;
  tokenGeneration: number;
  sequence: number;
  expiresAt: Date;
}

/** How many spent tokens of a device are remembered, to know a thief by. */
const SPENT_KEPT = 100;
/** How many tokens may be valid beside each other while answers are lost. */
const UNUSED_KEPT = 8;
/** How many logged-out devices of a user are remembered. */
const LOGGED_OUT_KEPT = 20;

const SESSION = `user_id AS "userId", id AS "deviceId", session_generation::int8 AS generation`;

/** Devices, their sessions and refresh tokens. Methods with `sql` belong into one transaction. */
@Injectable()
export class SessionsRepository {
  constructor(private readonly database: Database) {}

  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.database.transaction('', work);
  }

  /**
   * Lets only one login or change of the password of a user run at a time. The hash of the password
   * as it is now; null: no such user.
   */
  async lockUser(sql: Sql, userId: string): Promise<string | null> {
    const [row] = await sql.rows<{ hash: string }>(
      { text: 'SELECT password_hash AS hash FROM users WHERE id = $1 FOR UPDATE' },
      [userId],
    );
    return row?.hash ?? null;
  }

  async setPassword(sql: Sql, userId: string, hash: string): Promise<void> {
    await sql.rows(
      {
        text: `UPDATE users SET password_hash = $2, failed_logins = 0, failed_login_at = NULL
               WHERE id = $1`,
      },
      [userId, hash],
    );
  }

  /** Begins a new session on a device, made when unknown; null: the device is somebody else's. */
  async open(
    sql: Sql,
    device: { id: string; userId: string; name: string | null },
  ): Promise<(SessionRow & { sequence: number }) | null> {
    const [row] = await sql.rows<SessionRow & { sequence: number }>(
      {
        text: `INSERT INTO devices AS d
                 (id, user_id, name, session_generation, refresh_sequence, confirmed_sequence, logged_in)
               VALUES ($1, $2, $3, nextval('session_generations'), 1, 1, true)
               ON CONFLICT (id) DO UPDATE SET
                 name = COALESCE(excluded.name, d.name), logged_in = true, last_seen = now(),
                 session_generation = excluded.session_generation,
                 refresh_sequence = d.refresh_sequence + 1,
                 confirmed_sequence = d.refresh_sequence + 1
               WHERE d.user_id = excluded.user_id
               RETURNING ${SESSION}, refresh_sequence AS sequence`,
      },
      [device.id, device.userId, device.name],
    );
    if (row)
      await sql.rows({ text: 'DELETE FROM refresh_tokens WHERE device_id = $1' }, [device.id]);
    return row ? withNumber(row) : null;
  }

  /** Ends the sessions of a user beyond the `keep` most recently used; returns the ended ones. */
  async endOldest(sql: Sql, userId: string, keep: number): Promise<SessionRow[]> {
    const rows = await sql.rows<SessionRow>(
      {
        text: `UPDATE devices
                  SET logged_in = false, session_generation = nextval('session_generations')
                WHERE id IN (SELECT id FROM devices WHERE user_id = $1 AND logged_in
                             ORDER BY last_seen DESC, created_at DESC OFFSET $2)
                RETURNING ${SESSION}`,
      },
      [userId, keep],
    );
    await this.forget(
      sql,
      rows.map((row) => row.deviceId),
    );
    await sql.rows(
      {
        text: `DELETE FROM devices WHERE id IN (
                 SELECT id FROM devices WHERE user_id = $1 AND NOT logged_in
                 ORDER BY last_seen DESC OFFSET $2)`,
      },
      [userId, LOGGED_OUT_KEPT],
    );
    return rows.map(withNumber);
  }

  /** Ends the sessions of a user's other devices; returns the ended ones. */
  async endOthers(sql: Sql, userId: string, deviceId: string): Promise<SessionRow[]> {
    const rows = await sql.rows<SessionRow>(
      {
        text: `UPDATE devices
                  SET logged_in = false, session_generation = nextval('session_generations')
                WHERE user_id = $1 AND id <> $2 AND logged_in RETURNING ${SESSION}`,
      },
      [userId, deviceId],
    );
    await this.forget(
      sql,
      rows.map((row) => row.deviceId),
    );
    return rows.map(withNumber);
  }

  /** Ends a device's session, if it has one; null: no such device of this user. */
  async end(sql: Sql, userId: string, deviceId: string): Promise<SessionRow | null> {
    const [row] = await sql.rows<SessionRow>(
      {
        text: `UPDATE devices SET logged_in = false,
                 session_generation = CASE WHEN logged_in THEN nextval('session_generations')
                                           ELSE session_generation END
               WHERE id = $1 AND user_id = $2 RETURNING ${SESSION}`,
      },
      [deviceId, userId],
    );
    if (row) await this.forget(sql, [deviceId]);
    return row ? withNumber(row) : null;
  }

  /** The token with this hash; its device stays locked until the transaction ends. */
  async token(sql: Sql, hash: Buffer): Promise<TokenRow | null> {
    const [row] = await sql.rows<TokenRow>(
      {
        text: `SELECT d.user_id AS "userId", d.id AS "deviceId", d.session_generation AS generation,
                      d.logged_in AS "loggedIn", d.refresh_sequence AS issued,
                      d.confirmed_sequence AS confirmed, t.session_generation AS "tokenGeneration",
                      t.sequence, t.expires_at AS "expiresAt"
                 FROM refresh_tokens t JOIN devices d ON d.id = t.device_id
                WHERE t.hash = $1 FOR UPDATE OF d`,
      },
      [hash],
    );
    return row ? { ...withNumber(row), tokenGeneration: Number(row.tokenGeneration) } : null;
  }

  async addToken(
    sql: Sql,
    token: { hash: Buffer; session: SessionRow; sequence: number; expiresAt: Date },
  ): Promise<void> {
    await sql.rows(
      {
        text: `INSERT INTO refresh_tokens (hash, device_id, session_generation, sequence, expires_at)
               VALUES ($1, $2, $3, $4, $5)`,
      },
      [
        token.hash,
        token.session.deviceId,
        token.session.generation,
        token.sequence,
        token.expiresAt,
      ],
    );
  }

  /** Notes which token was issued last and which was used last; forgets what is long spent. */
  async rotate(
    sql: Sql,
    deviceId: string,
    { issued, confirmed }: { issued: number; confirmed: number },
  ): Promise<void> {
    await sql.rows(
      {
        text: `UPDATE devices SET refresh_sequence = $2, last_seen = now(),
                 confirmed_sequence = GREATEST(confirmed_sequence, $3) WHERE id = $1`,
      },
      [deviceId, issued, confirmed],
    );
    await sql.rows(
      {
        text: `DELETE FROM refresh_tokens WHERE device_id = $1
                 AND (sequence < $2 - ${SPENT_KEPT}
                      OR (sequence > $2 AND sequence <= $3 - ${UNUSED_KEPT}))`,
      },
      [deviceId, confirmed, issued],
    );
  }

  /** The pair with this sequence was used: tokens below it are spent. */
  async confirm(userId: string, deviceId: string, sequence: number): Promise<void> {
    await this.database.rows(
      {
        text: `UPDATE devices SET last_seen = now(),
                 confirmed_sequence = GREATEST(confirmed_sequence, $3)
               WHERE id = $1 AND user_id = $2 AND logged_in AND refresh_sequence >= $3`,
      },
      [deviceId, userId, sequence],
    );
  }

  /** The session of a device that is logged in. */
  async current(
    userId: string,
    deviceId: string,
    sql: Sql = this.database,
  ): Promise<SessionRow | null> {
    const [row] = await sql.rows<SessionRow>(
      {
        name: 'session-current',
        text: `SELECT ${SESSION} FROM devices WHERE id = $1 AND user_id = $2 AND logged_in`,
      },
      [deviceId, userId],
    );
    return row ? withNumber(row) : null;
  }

  private async forget(sql: Sql, deviceIds: string[]): Promise<void> {
    if (deviceIds.length === 0) return;
    await sql.rows({ text: 'DELETE FROM refresh_tokens WHERE device_id = ANY ($1)' }, [deviceIds]);
  }
}

/** A generation is a bigint column, which pg hands over as text; it stays far below 2^53. */
function withNumber<R extends SessionRow>(row: R): R {
  return { ...row, generation: Number(row.generation) };
}
