import { Injectable } from '@nestjs/common';
import type { Admission, PresenceSide, RefusingSetting } from '@tidings/protocol/privacy';
import { Database } from '../database/database';

/** A viewer and somebody else, as each of the two stands to the other one. */
export interface PresencePair {
  userId: string;
  viewer: PresenceSide;
  other: PresenceSide;
}

interface PairRow {
  id: string;
  viewerLastSeen: PresenceSide['lastSeen'];
  lastSeen: PresenceSide['lastSeen'];
  viewerHas: boolean;
  has: boolean;
  viewerBlocks: boolean;
  blocks: boolean;
}

const isIn = (table: string, other: string, of: string, whom: string): string =>
  `EXISTS (SELECT 1 FROM ${table} t WHERE t.user_id = ${of} AND t.${other} = ${whom})`;

const COLUMNS = {
  messages: 'privacy_messages',
  groups: 'privacy_groups',
} as const satisfies Record<RefusingSetting, string>;

/** What people let others see and do. */
@Injectable()
export class PrivacyRepository {
  constructor(private readonly database: Database) {}

  /** The viewer beside each of these users; unknown and disabled ones, all for an unknown viewer, are left out. */
  async presencePairs(viewerId: string, userIds: readonly string[]): Promise<PresencePair[]> {
    const rows = await this.database.rows<PairRow>(
      {
        name: 'privacy-presence-pairs',
        text: `SELECT u.id, v.privacy_last_seen AS "viewerLastSeen", u.privacy_last_seen AS "lastSeen",
            ${isIn('contacts', 'contact_id', 'v.id', 'u.id')} AS "viewerHas",
            ${isIn('contacts', 'contact_id', 'u.id', 'v.id')} AS has,
            ${isIn('blocks', 'blocked_id', 'v.id', 'u.id')} AS "viewerBlocks",
            ${isIn('blocks', 'blocked_id', 'u.id', 'v.id')} AS blocks
          FROM users v CROSS JOIN users u WHERE v.id = $1 AND u.id = ANY ($2::uuid[]) AND u.disabled_at IS NULL`,
      },
      [viewerId, userIds],
    );
    return rows.map(toPair);
  }

  /** How each of these users stands to who acts, as to one setting; unknown ones are left out. */
  admissions(
    setting: RefusingSetting,
    actorId: string,
    userIds: readonly string[],
  ): Promise<Admission[]> {
    return this.database.rows<Admission>(
      {
        name: `privacy-${setting}`,
        text: `SELECT u.${COLUMNS[setting]} AS value,
            ${isIn('contacts', 'contact_id', 'u.id', '$1::uuid')} AS "hasThem"
          FROM users u WHERE u.id = ANY ($2::uuid[]) AND u.id <> $1::uuid`,
      },
      [actorId, userIds],
    );
  }
}

function toPair(row: PairRow): PresencePair {
  return {
    userId: row.id,
    viewer: {
      lastSeen: row.viewerLastSeen,
      hasOther: row.viewerHas,
      blocksOther: row.viewerBlocks,
    },
    other: { lastSeen: row.lastSeen, hasOther: row.has, blocksOther: row.blocks },
  };
}
