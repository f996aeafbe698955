import { Injectable } from '@nestjs/common';
import type { Member, Receipt } from '@tidings/common/contracts/http';
import { LIMITS } from '@tidings/common/contracts/limits';
import { Database, type Sql } from '../database/database';
import type { Candidate, Measured, Membership, Planned, SyncTask } from '../domain/sync-plan';
import { newestLimit } from '../domain/sync-plan';
import type { MessageRow } from '../messages/message.mapper';
import {
  MEASURE,
  MEMBERSHIPS_NEWEST,
  MEMBERSHIPS_SINCE,
  MESSAGES,
  UNLISTED_MAX,
  USER_PARTITIONS,
} from './sync.sql';

/** What the answer tells of a conversation beside its messages. */
export interface Measures extends Measured {
  lines: string[];
  unread: number;
  members: Member[] | null;
  /** The asking user's own marks. */
  own: Receipt;
}

interface MembershipRow {
  conversation_id: string;
  partition: number;
  from_position: string | null;
  until_position: string | null;
  leaving: boolean;
  joined_position: string;
  created_position: string;
  last_position: string;
}

/** The statements of one sync; all but the first run in its snapshot. */
@Injectable()
export class SyncRepository {
  constructor(private readonly database: Database) {}

  /** Runs `work` on one snapshot of the database. */
  snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.database.transaction('ISOLATION LEVEL REPEATABLE READ READ ONLY', work);
  }

  /** Partitions of the user's conversations. */
  async partitions(userId: string, sql: Sql = this.database): Promise<number[]> {
    const rows = await sql.rows<{ partition: number }>(USER_PARTITIONS, [userId]);
    return rows.map((row) => row.partition);
  }

  /**
   * The conversations that a task is about, in the order of serving. `complete`: those not listed
   * are all there.
   */
  async memberships(
    sql: Sql,
    userId: string,
    task: SyncTask,
    positionOf: (partition: number, offset: bigint) => bigint,
  ): Promise<{ memberships: Membership[]; complete: boolean }> {
    const listed = [userId, [...task.named.keys()], [...task.owed.keys()]];
    if (task.mode === 'new') {
      const most = task.after === null ? 0 : LIMITS.syncFirstConversations;
      const rows = await sql.rows<MembershipRow>(MEMBERSHIPS_NEWEST, [...listed, most]);
      return { memberships: rows.map(toMembership), complete: true };
    }
    const bounds = task.next?.map((next, partition) => positionOf(partition, next)) ?? [];
    const rows = await sql.rows<MembershipRow & { listed: boolean }>(MEMBERSHIPS_SINCE, [
      ...listed,
      bounds,
      task.after,
    ]);
    const unlisted = rows.filter((row) => !row.listed);
    const complete = unlisted.length <= UNLISTED_MAX;
    const beyond = complete ? undefined : unlisted.at(-1);
    return { memberships: rows.filter((row) => row !== beyond).map(toMembership), complete };
  }

  /** Counts and digests, aligned with the candidates. */
  async measure(
    sql: Sql,
    userId: string,
    asOf: Date,
    candidates: readonly Candidate[],
  ): Promise<Measures[]> {
    if (candidates.length === 0) return [];
    const rows = await sql.rows<Omit<Measures, 'linesAtHave'> & { compared: string[] | null }>(
      MEASURE,
      [
        userId,
        asOf,
        candidates.map((c) => c.conversationId),
        candidates.map((c) => c.from),
        candidates.map((c) => c.have),
        candidates.map((c) => c.upTo),
        candidates.map(newestLimit),
        candidates.map((c) => c.digest !== null),
        candidates.map((c) => c.seen),
      ],
    );
    return rows.map(({ compared, ...row }) => ({ ...row, linesAtHave: compared }));
  }

  /** Messages of what is served, aligned, ascending. */
  async messages(sql: Sql, served: readonly Planned[]): Promise<MessageRow[][]> {
    const result: MessageRow[][] = served.map(() => []);
    const wanted = served.filter((p) => p.cost > 0);
    if (wanted.length === 0) return result;
    const rows = await sql.rows<MessageRow & { n: number }>(MESSAGES, [
      wanted.map((p) => p.candidate.conversationId),
      wanted.map((p) => p.candidate.from),
      wanted.map((p) => p.above),
      wanted.map((p) => p.candidate.upTo),
      wanted.map((p) => p.newest),
      wanted.map((p) => p.changed),
      wanted.map((p) => p.candidate.seen),
    ]);
    const places = wanted.map((p) => served.indexOf(p));
    for (const row of rows) result[places[row.n - 1]!]!.push(row);
    return result;
  }
}

function toMembership(row: MembershipRow): Membership {
  return {
    conversationId: row.conversation_id,
    partition: row.partition,
    from: row.from_position === null ? null : BigInt(row.from_position),
    until: row.until_position === null ? null : BigInt(row.until_position),
    leaving: row.leaving,
    joined: BigInt(row.joined_position),
    created: BigInt(row.created_position),
    last: BigInt(row.last_position),
  };
}
