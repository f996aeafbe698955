import { Injectable } from '@nestjs/common';
import type { ActsBy } from '@tidings/common/rpc/calls';
import { Database, type Sql } from '../database/database';

/** One act of an operator or a broadcaster. */
export interface AuditEntry {
  by: ActsBy;
  action: string;
  /** Whom it is about; null: everybody. */
  subject: string | null;
  /** False: everything was so already. */
  changed: boolean;
  detail?: Record<string, string>;
}

/** Who did what, to whom, from where and when; for a year, see `ExpirySweep`. */
@Injectable()
export class AuditRepository {
  constructor(private readonly database: Database) {}

  /** In the transaction of the act: there is no act without its row. */
  async add(sql: Sql, { by, action, subject, changed, detail }: AuditEntry): Promise<void> {
    await sql.rows(
      {
        text: `INSERT INTO audit (actor, origin, action, subject, changed, detail)
               VALUES ($1, $2, $3, $4, $5, $6)`,
      },
      [by.actor, by.origin, action, subject, changed, detail ? JSON.stringify(detail) : null],
    );
  }

  /** As {@link add}, for an act that only looks. */
  addAlone(entry: AuditEntry): Promise<void> {
    return this.add(this.database, entry);
  }
}
