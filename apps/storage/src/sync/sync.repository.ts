import { Injectable } from '@nestjs/common';
import type { Member, Receipt } from '@tidings/common/contracts/http';
import { LIMITS } from '@tidings/common/contracts/limits';
import { Database, type Sql } from '../database/database';
import type { Candidate, Measured, Membership, Planned, SyncTask } from '../domain/sync-plan';
import { newestLimit } from '../domain/sync-plan';
import type { Digested } from '../domain/state-digest';
import type { MessageText } from '../domain/sync-bodies';
import {
  KEPT,
  MEASURE,
  MEMBERSHIPS_NEWEST,
  MEMBERSHIPS_SINCE,
  MESSAGES,
  MESSAGES_NEWEST,
  SEPARATOR,
  UNLISTED_MAX,
  USER_PARTITIONS,
} from './sync.sql';

/** What the answer tells of a conversation beside its messages. */
export interface Measures extends Measured {
  digest: Digested;
  /** Set when the plain digest was computed: its oldest position. */
  digestFrom: string | null;
  /** Since and until when it holds. */
  digestSince: Date;
  digestUntil: Date | null;
  unread: number;
  /** Set when unread was counted: above which position, and the first expiry. */
  unreadAfter: string | null;
  unreadUntil: Date | null;
  members: Member[] | null;
  /** The asking user's own marks. */
  own: Receipt;
}

/** The messages of one conversation of an answer. */
export interface ServedMessages {
  /** Ascending. */
  messages: MessageText[];
  /** The highest version of changed ones; 0: there are none. */
  lastChange: bigint;
}

interface MeasureRow {
  above: number;
  changed: number;
  compared_digest: string | null;
  compared: string[] | null;
  digest: string | null;
  lines: string[] | null;
  digest_from: string | null;
  digest_since: Date;
  digest_until: Date | null;
  unread: number;
  unread_after: string | null;
  unread_until: Date | null;
  members: Member[] | null;
  own: Receipt;
}

interface MessageRow {
  n: number;
  fresh: boolean;
  version: string;
  text: string;
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
    return this.database.snapshot(work);
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
    const known = await this.kept(sql, userId, asOf, candidates);
    const rest = candidates.filter((_, i) => !known[i]);
    const counted = rest.length === 0 ? [] : await this.counted(sql, userId, asOf, rest);
    let next = 0;
    return candidates.map((_, i) => known[i] ?? counted[next++]!);
  }

  /** What is known without counting, aligned; nothing for the others. */
  private async kept(
    sql: Sql,
    userId: string,
    asOf: Date,
    candidates: readonly Candidate[],
  ): Promise<(Measures | undefined)[]> {
    const known = new Array<Measures | undefined>(candidates.length);
    // As many uncounted ones as one answer serves in any case; of more it matters how long they are.
    const few = candidates.length * LIMITS.syncFirstPerConversation <= LIMITS.syncMessages;
    const uncounted = (c: Candidate): boolean => few && c.fresh;
    // What somebody is behind in goes on: nothing is kept of it.
    if (candidates.every((c) => c.have < c.upTo && !uncounted(c))) return known;
    const held = candidates.map((c) => (uncounted(c) ? { ...c, have: c.upTo } : c));
    const values = measureValues(userId, asOf, held);
    const rows = await sql.rows<MeasureRow & { n: number }>(KEPT, values);
    for (const row of rows) {
      const { have, upTo } = candidates[row.n - 1]!;
      const above = have < upTo ? null : 0;
      known[row.n - 1] = { ...toMeasures(row), above };
    }
    return known;
  }

  private async counted(
    sql: Sql,
    userId: string,
    asOf: Date,
    candidates: readonly Candidate[],
  ): Promise<Measures[]> {
    const values = measureValues(userId, asOf, candidates);
    return (await sql.rows<MeasureRow>(MEASURE, values)).map(toMeasures);
  }

  /** Messages of what is served, aligned. */
  async messages(sql: Sql, served: readonly Planned[]): Promise<ServedMessages[]> {
    const result = served.map((): ServedMessages => ({ messages: [], lastChange: 0n }));
    const places = served.flatMap((p, place) => (p.cost > 0 ? [place] : []));
    if (places.length === 0) return result;
    const wanted = places.map((place) => served[place]!);
    const values = [
      wanted.map((p) => p.candidate.conversationId),
      wanted.map((p) => p.candidate.from),
      wanted.map((p) => p.above),
      wanted.map((p) => p.candidate.upTo),
      wanted.map((p) => p.newest),
      wanted.map((p) => p.changed),
      wanted.map((p) => p.candidate.seen),
    ];
    if (wanted.some((p) => p.changed)) {
      for (const { n, fresh, version, text } of await sql.rows<MessageRow>(MESSAGES, values)) {
        const one = result[places[n - 1]!]!;
        one.messages.push({ fresh, text });
        if (!fresh && BigInt(version) > one.lastChange) one.lastChange = BigInt(version);
      }
    } else {
      const rows = await sql.rows<{ n: number; texts: string }>(MESSAGES_NEWEST, values);
      for (const { n, texts } of rows) {
        const messages = texts.split(SEPARATOR).map((text) => ({ fresh: true, text }));
        result[places[n - 1]!]!.messages = messages;
      }
    }
    return result;
  }
}

function measureValues(userId: string, asOf: Date, candidates: readonly Candidate[]): unknown[] {
  return [
    userId,
    asOf,
    candidates.map((c) => c.conversationId),
    candidates.map((c) => c.from),
    candidates.map((c) => c.have),
    candidates.map((c) => c.upTo),
    candidates.map(newestLimit),
    candidates.map((c) => c.digest !== null),
    candidates.map((c) => c.seen),
  ];
}

function toMeasures(row: MeasureRow): Measures {
  const { above, changed, unread, members, own } = row;
  return {
    ...{ above, changed, unread, members, own },
    digestAtHave: row.compared_digest ?? row.compared,
    digest: row.digest ?? row.lines ?? [],
    digestFrom: row.digest_from,
    digestSince: row.digest_since,
    digestUntil: row.digest_until,
    unreadAfter: row.unread_after,
    unreadUntil: row.unread_until,
  };
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
