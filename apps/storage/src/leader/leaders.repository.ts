import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';

/** Who leads a service, since when. */
export interface LeaderRow {
  service: string;
  nodeId: string;
  bootId: string;
  term: string;
  since: Date;
}

/**
 * Whether `$n` is the term of storage's present leader. The row is locked until the step is done: a
 * successor takes it before the step, which then does nothing, or after it.
 */
export function isTerm(n: number): string {
  return `EXISTS (SELECT 1 FROM leaders WHERE service = 'storage' AND term = $${n}::int8 FOR SHARE)`;
}

const LEADER = `service, node_id AS "nodeId", boot_id AS "bootId", term, since`;

/** The row that each service has for its leader. */
@Injectable()
export class LeadersRepository {
  constructor(private readonly database: Database) {}

  /** Takes the lead with a new term; whoever led before has the steps refused that it still tries. */
  async claim(service: string, nodeId: string, bootId: string): Promise<string> {
    const [row] = await this.database.rows<{ term: string }>(
      {
        name: 'leader-claim',
        text: `INSERT INTO leaders AS l (service, node_id, boot_id, term) VALUES ($1, $2, $3, 1)
               ON CONFLICT (service) DO UPDATE SET node_id = excluded.node_id,
                 boot_id = excluded.boot_id, term = l.term + 1, since = now()
               RETURNING term`,
      },
      [service, nodeId, bootId],
    );
    return row!.term;
  }

  /** The leaders of all services. */
  list(): Promise<LeaderRow[]> {
    return this.database.rows<LeaderRow>({
      name: 'leader-list',
      text: `SELECT ${LEADER} FROM leaders ORDER BY service`,
    });
  }
}
