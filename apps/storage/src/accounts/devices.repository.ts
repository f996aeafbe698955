import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';

/** A device that is logged in. */
export interface DeviceRow {
  id: string;
  name: string | null;
  createdAt: Date;
  lastSeen: Date;
}

/** Wrong passwords are forgotten so long after the last. */
const FAILURES_KEPT = `interval '30 days'`;

/** The devices of users, to be shown, and what went wrong where somebody wanted to become one. */
@Injectable()
export class DevicesRepository {
  constructor(private readonly database: Database) {}

  /** A user's devices that are logged in, the last used first. */
  loggedIn(userId: string): Promise<DeviceRow[]> {
    return this.database.rows<DeviceRow>(
      {
        text: `SELECT id, name, created_at AS "createdAt", last_seen AS "lastSeen"
                 FROM devices WHERE user_id = $1 AND logged_in ORDER BY last_seen DESC, id`,
      },
      [userId],
    );
  }

  /** Whether the user knows this device; the same question is asked when there is no such user. */
  async isOf(deviceId: string | null, userId: string | null): Promise<boolean> {
    if (deviceId === null) return false;
    const rows = await this.database.rows(
      {
        name: 'device-is-of',
        text: 'SELECT 1 FROM devices WHERE id = $1 AND user_id = $2::uuid',
      },
      [deviceId, userId],
    );
    return rows.length > 0;
  }

  /** Wrong passwords of a user since the last change of the password; null: none. */
  async failedLogins(userId: string): Promise<{ count: number; lastAt: Date } | null> {
    const [row] = await this.database.rows<{ count: number; lastAt: Date }>(
      {
        text: `SELECT failed_logins AS count, failed_login_at AS "lastAt" FROM users
               WHERE id = $1 AND failed_login_at > now() - ${FAILURES_KEPT}`,
      },
      [userId],
    );
    return row ?? null;
  }

  /** Counts a wrong password of a user. */
  async addFailedLogin(userId: string): Promise<void> {
    await this.database.rows(
      {
        text: `UPDATE users SET failed_login_at = now(), failed_logins =
                 CASE WHEN failed_login_at > now() - ${FAILURES_KEPT} THEN failed_logins + 1 ELSE 1 END
               WHERE id = $1`,
      },
      [userId],
    );
  }
}
