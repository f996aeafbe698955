import { Injectable } from '@nestjs/common';
import type { LoginEnd } from '@tidings/common/rpc/calls';
import { Database, type Sql } from '../database/database';

/** A device's login, as tokens depend on it. */
export interface LoginRow {
  userId: string;
  deviceId: string;
  generation: number;
}

/** A refresh token and its device, locked. */
export interface TokenRow extends LoginRow {
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

const LOGIN = `user_id AS "userId", id AS "deviceId", session_generation::int8 AS generation`;

/** Devices, their logins and refresh tokens. Methods with `sql` belong into one transaction. */
@Injectable()
export class LoginsRepository {
  constructor(private readonly database: Database) {}

  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.database.transaction('', work);
  }

  /**
   * Lets only one login or change of the password of a user run at a time. The hash of the password
   * as it is now, and whether the account is disabled; null: no such user.
   */
  async lockUser(sql: Sql, userId: string): Promise<{ hash: string; disabled: boolean } | null> {
    const [row] = await sql.rows<{ hash: string; disabled: boolean }>(
      {
        text: `SELECT password_hash AS hash, disabled_at IS NOT NULL AS disabled
               FROM users WHERE id = $1 FOR UPDATE`,
      },
      [userId],
    );
    return row ?? null;
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

  /** Begins a new login on a device, made when unknown; null: the device is somebody else's. */
  async open(
    sql: Sql,
    device: { id: string; userId: string; name: string | null },
  ): Promise<(LoginRow & { sequence: number }) | null> {
    const [row] = await sql.rows<LoginRow & { sequence: number }>(
      {
        text: `INSERT INTO devices AS d
                 (id, user_id, name, session_generation, refresh_sequence, confirmed_sequence, logged_in)
               VALUES ($1, $2, $3, nextval('session_generations'), 1, 1, true)
               ON CONFLICT (id) DO UPDATE SET
                 name = COALESCE(excluded.name, d.name), logged_in = true, last_seen = now(), session_end = NULL,
                 session_generation = excluded.session_generation,
                 refresh_sequence = d.refresh_sequence + 1,
                 confirmed_sequence = d.refresh_sequence + 1
               WHERE d.user_id = excluded.user_id
               RETURNING ${LOGIN}, refresh_sequence AS sequence`,
      },
      [device.id, device.userId, device.name],
    );
    if (row)
      await sql.rows({ text: 'DELETE FROM refresh_tokens WHERE device_id = $1' }, [device.id]);
    return row ? withNumber(row) : null;
  }

  /** Ends the logins of a user beyond the `keep` most recently used; returns the ended ones. */
  async endOldest(sql: Sql, userId: string, keep: number): Promise<LoginRow[]> {
    const rows = await sql.rows<LoginRow>(
      {
        text: `UPDATE devices
                  SET logged_in = false, session_generation = nextval('session_generations'),
                      session_end = 'logged_out'
                WHERE id IN (SELECT id FROM devices WHERE user_id = $1 AND logged_in
                             ORDER BY last_seen DESC, created_at DESC OFFSET $2)
                RETURNING ${LOGIN}`,
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

  /** Ends the logins of a user's other devices; returns the ended ones. */
  endOthers(sql: Sql, userId: string, deviceId: string, end: LoginEnd): Promise<LoginRow[]> {
    return this.endBut(sql, userId, deviceId, end);
  }

  /** Ends the other logins because of a new one; returns the ended ones. */
  async replace(sql: Sql, userId: string, deviceId: string): Promise<LoginRow[]> {
    const text = 'UPDATE users SET login_generation = login_generation + 1 WHERE id = $1';
    await sql.rows({ text }, [userId]);
    return this.endBut(sql, userId, deviceId, 'replaced');
  }

  /** Seconds since the last sign of life of a user's other logins; null: there are none. */
  async idleSeconds(sql: Sql, device: { id: string; userId: string }): Promise<number | null> {
    const [row] = await sql.rows<{ idle: number | null }>(
      {
        text: `SELECT extract(epoch FROM clock_timestamp() - max(last_seen))::float8 AS idle
                 FROM devices WHERE user_id = $1 AND id <> $2 AND logged_in`,
      },
      [device.userId, device.id],
    );
    return row?.idle ?? null;
  }

  /** Raises when devices that are logged in gave their last sign of life. */
  async alive(
    items: readonly { userId: string; deviceId: string; agoMs: number }[],
  ): Promise<void> {
    await this.database.rows(
      {
        name: 'logins-alive',
        text: `UPDATE devices d
                  SET last_seen = GREATEST(last_seen, now() - a.ms * interval '1 millisecond')
                 FROM unnest($1::uuid[], $2::uuid[], $3::int8[]) AS a (id, user_id, ms)
                WHERE d.id = a.id AND d.user_id = a.user_id AND d.logged_in`,
      },
      [
        items.map(({ deviceId }) => deviceId),
        items.map(({ userId }) => userId),
        items.map(({ agoMs }) => agoMs),
      ],
    );
  }

  /** Ends all logins of a user; returns the ended ones. */
  endAll(sql: Sql, userId: string, end: LoginEnd): Promise<LoginRow[]> {
    return this.endBut(sql, userId, null, end);
  }

  private async endBut(
    sql: Sql,
    userId: string,
    deviceId: string | null,
    end: LoginEnd,
  ): Promise<LoginRow[]> {
    const rows = await sql.rows<LoginRow>(
      {
        text: `UPDATE devices
                  SET logged_in = false, session_generation = nextval('session_generations'),
                      session_end = $3
                WHERE user_id = $1 AND id IS DISTINCT FROM $2::uuid AND logged_in
                RETURNING ${LOGIN}`,
      },
      [userId, deviceId, end],
    );
    await this.forget(
      sql,
      rows.map((row) => row.deviceId),
    );
    return rows.map(withNumber);
  }

  /** Ends a device's login, if it has one; null: no such device of this user. */
  async end(sql: Sql, userId: string, deviceId: string): Promise<LoginRow | null> {
    const [row] = await sql.rows<LoginRow>(
      {
        text: `UPDATE devices SET logged_in = false,
                 session_end = CASE WHEN logged_in THEN 'logged_out' ELSE session_end END,
                 session_generation = CASE WHEN logged_in THEN nextval('session_generations')
                                           ELSE session_generation END
               WHERE id = $1 AND user_id = $2 RETURNING ${LOGIN}`,
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
    token: { hash: Buffer; login: LoginRow; sequence: number; expiresAt: Date },
  ): Promise<void> {
    await sql.rows(
      {
        text: `INSERT INTO refresh_tokens (hash, device_id, session_generation, sequence, expires_at)
               VALUES ($1, $2, $3, $4, $5)`,
      },
      [token.hash, token.login.deviceId, token.login.generation, token.sequence, token.expiresAt],
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

  /** The login of a device that is logged in. */
  async current(
    userId: string,
    deviceId: string,
    sql: Sql = this.database,
  ): Promise<LoginRow | null> {
    const [row] = await sql.rows<LoginRow>(
      {
        name: 'login-current',
        text: `SELECT ${LOGIN} FROM devices WHERE id = $1 AND user_id = $2 AND logged_in`,
      },
      [deviceId, userId],
    );
    return row ? withNumber(row) : null;
  }

  /** How the last login of a device ended; null: it lives, or nobody knows. */
  async endOf(userId: string, deviceId: string): Promise<LoginEnd | null> {
    const [row] = await this.database.rows<{ end: LoginEnd | null }>(
      {
        name: 'login-end',
        text: 'SELECT session_end AS end FROM devices WHERE id = $1 AND user_id = $2',
      },
      [deviceId, userId],
    );
    return row?.end ?? null;
  }

  private async forget(sql: Sql, deviceIds: string[]): Promise<void> {
    if (deviceIds.length === 0) return;
    await sql.rows({ text: 'DELETE FROM refresh_tokens WHERE device_id = ANY ($1)' }, [deviceIds]);
  }
}

/** A generation is a bigint column, which pg hands over as text; it stays far below 2^53. */
function withNumber<R extends LoginRow>(row: R): R {
  return { ...row, generation: Number(row.generation) };
}
