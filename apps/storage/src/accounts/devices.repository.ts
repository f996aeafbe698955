import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';

/** A device that is logged in. */
export interface DeviceRow {
  id: string;
  name: string | null;
  createdAt: Date;
  lastSeen: Date;
}

/** The devices of users, to be shown. */
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
}
