import { Injectable } from '@nestjs/common';
import type { Role } from '@tidings/protocol/admin';
import { Database, type Sql } from '../database/database';

/** An account as operators see it. */
export interface AdminRow {
  id: string;
  username: string;
  firstName: string;
  lastName: string | null;
  disabledAt: Date | null;
  roles: Role[];
}

/** Keeps this advisory lock apart from others in the same database. */
const LOCK = 7_302;

const ACCOUNT = `u.id, u.username, u.first_name AS "firstName", u.last_name AS "lastName",
  u.disabled_at AS "disabledAt",
  ARRAY(SELECT r.role FROM user_roles r WHERE r.user_id = u.id ORDER BY r.role) AS roles`;

/** Who may do what beside chatting, and who may do nothing. Methods with `sql` belong into one transaction. */
@Injectable()
export class RolesRepository {
  constructor(private readonly database: Database) {}

  /** Acts of operators come one after the other: two who revoke each other do not both succeed. */
  async lock(sql: Sql): Promise<void> {
    await sql.rows({ text: 'SELECT pg_advisory_xact_lock($1)' }, [LOCK]);
  }

  /** Whether a user is an operator whose account can be used. */
  async isOperator(userId: string, sql: Sql = this.database): Promise<boolean> {
    const rows = await sql.rows(
      {
        text: `SELECT 1 FROM user_roles r JOIN users u ON u.id = r.user_id
               WHERE r.user_id = $1 AND r.role = 'operator' AND u.disabled_at IS NULL`,
      },
      [userId],
    );
    return rows.length > 0;
  }

  /** Whether somebody else than this user is an operator whose account can be used. */
  async hasOtherOperator(sql: Sql, userId: string): Promise<boolean> {
    const rows = await sql.rows(
      {
        text: `SELECT 1 FROM user_roles r JOIN users u ON u.id = r.user_id
               WHERE r.user_id <> $1 AND r.role = 'operator' AND u.disabled_at IS NULL LIMIT 1`,
      },
      [userId],
    );
    return rows.length > 0;
  }

  /** An account by its id or the key of its name. */
  async find(
    by: { id: string } | { usernameKey: string },
    sql: Sql = this.database,
  ): Promise<AdminRow | null> {
    const [column, value] = 'id' in by ? ['u.id', by.id] : ['u.username_key', by.usernameKey];
    const [row] = await sql.rows<AdminRow>(
      { text: `SELECT ${ACCOUNT} FROM users u WHERE ${column} = $1` },
      [value],
    );
    return row ?? null;
  }

  /** Accounts that have a role, by name, behind `after`. */
  holders(after: string | null, limit: number): Promise<(AdminRow & { key: string })[]> {
    return this.database.rows(
      {
        text: `SELECT ${ACCOUNT}, u.username_key AS key FROM users u
               WHERE EXISTS (SELECT 1 FROM user_roles r WHERE r.user_id = u.id)
                 AND ($1::text IS NULL OR u.username_key > $1)
               ORDER BY u.username_key LIMIT $2`,
      },
      [after, limit],
    );
  }

  /** True when the user did not have it. */
  async grant(sql: Sql, userId: string, role: Role): Promise<boolean> {
    const rows = await sql.rows(
      {
        text: `INSERT INTO user_roles (user_id, role) VALUES ($1, $2)
               ON CONFLICT DO NOTHING RETURNING 1`,
      },
      [userId, role],
    );
    return rows.length > 0;
  }

  /** True when the user had it. */
  async revoke(sql: Sql, userId: string, role: Role): Promise<boolean> {
    const rows = await sql.rows(
      { text: 'DELETE FROM user_roles WHERE user_id = $1 AND role = $2 RETURNING 1' },
      [userId, role],
    );
    return rows.length > 0;
  }

  /** Waits for logins of the user that are under way; true when that was not so before. */
  async setDisabled(sql: Sql, userId: string, disabled: boolean): Promise<boolean> {
    const rows = await sql.rows(
      {
        text: disabled
          ? `UPDATE users SET disabled_at = now(), login_generation = login_generation + 1
             WHERE id = $1 AND disabled_at IS NULL RETURNING 1`
          : 'UPDATE users SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL RETURNING 1',
      },
      [userId],
    );
    return rows.length > 0;
  }

  /** Which of these users are disabled. */
  async disabledAmong(userIds: readonly string[]): Promise<string[]> {
    const rows = await this.database.rows<{ id: string }>(
      {
        name: 'users-disabled',
        text: 'SELECT id FROM users WHERE id = ANY ($1) AND disabled_at IS NOT NULL',
      },
      [userIds],
    );
    return rows.map(({ id }) => id);
  }
}
