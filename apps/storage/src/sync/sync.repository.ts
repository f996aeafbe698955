import { Injectable } from '@nestjs/common';
import { LIMITS } from '@tidings/protocol/limits';
import { Database, type Sql } from '../database/database';
import type { Candidate, Measured, Membership, Planned, SyncTask } from '../domain/sync-plan';
import { newestLimit } from '../domain/sync-plan';
import type { LogState } from '../log/log-state';
import type { Digested } from '../domain/state-digest';
import type { MessageText } from '../domain/sync-bodies';
import {
  MEASURE,
  MEMBERSHIPS_NEWEST,
  MEMBERSHIPS_SINCE,
  MESSAGES,
  MESSAGES_NEWEST,
  SEPARATOR,
  UNLISTED_MAX,
} from './sync.sql';

/** What the answer tells of a conversation beside its messages. */
export interface Measures extends Measured {
  digest: Digested;
  /** Set when the plain digest was computed: its oldest position. */
  digestFrom: string | null;
  /** Since and until when it holds. */
  digestSince: Date | null;
  digestUntil: Date | null;
  unread: number;
  /** Set when unread was counted: above which position, and the first expiry. */
  unreadAfter: string | null;
  unreadUntil: Date | null;
  /** Members' marks as JSON text. */
  receipts: string;
}

/** What is told of a conversation without counting. */
interface Kept {
  /** Null: not kept. */
  digest: string | null;
  /** Whether that digest held at the time for comparing, too. */
  compares: boolean;
  /** Null: not kept. */
  unread: number | null;
  /** Members' marks as JSON text. */
  receipts: string;
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
}

interface MessageRow {
  n: number;
  fresh: boolean;
  version: string;
  text: string;
}

/** Of the first row of memberships; null in the others. */
interface KnownRow {
  /** Next offset to apply per partition, joined. */
  applied: string | null;
  /** Joined; null: there is none. */
  partitions: string | null;
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
  listed: boolean;
  digest: string | null;
  compares: boolean;
  unread: number | null;
  /** Null: not a member. */
  receipts: string | null;
}

/** What a sync may be about. */
export interface Memberships {
  memberships: Membership[];
  /** Of the members among them, by the conversation's id. */
  kept: ReadonlyMap<string, Kept>;
  /** Those not listed are all there. */
  complete: boolean;
  /** Next offset to apply, per partition. */
  applied: readonly bigint[];
  /** Partitions of all conversations that the user has not left, also those not in the log yet. */
  partitions: ReadonlySet<number>;
}

/** The statements of one sync, at most three; they run in its snapshot. */
@Injectable()
export class SyncRepository {
  constructor(private readonly database: Database) {}

  /** Runs `work` on one snapshot of the database. */
  snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.database.snapshot(work);
  }

  /** The conversations that a task is about, in the order of serving, and what the log says. */
  async memberships(
    sql: Sql,
    { userId, task, asOf }: { userId: string; task: SyncTask; asOf: Date },
    log: LogState,
  ): Promise<Memberships> {
    const listed = [userId, [...task.named.keys()], [...task.owed.keys()], asOf, log.topic];
    if (task.mode === 'new') {
      const most = task.after === null ? 0 : LIMITS.syncFirstConversations;
      return toMemberships(await sql.rows(MEMBERSHIPS_NEWEST, [...listed, most]));
    }
    const bounds = task.next?.map((next, partition) => log.position(partition, next)) ?? [];
    const values = [...listed, bounds, task.after];
    return toMemberships(await sql.rows(MEMBERSHIPS_SINCE, values), UNLISTED_MAX);
  }

  /** Counts and digests, aligned with the candidates. */
  async measure(
    sql: Sql,
    { userId, asOf }: { userId: string; asOf: Date },
    candidates: readonly Candidate[],
    kept: Memberships['kept'],
  ): Promise<Measures[]> {
    // As many uncounted ones as one answer serves in any case; of more it matters how long they are.
    const few = candidates.length * LIMITS.syncFirstPerConversation <= LIMITS.syncMessages;
    const known = candidates.map((c) => measuresKept(c, kept.get(c.conversationId)!, few));
    const rest = candidates.filter((_, i) => !known[i]);
    if (rest.length === 0) return known as Measures[];
    const rows = await this.counted(sql, userId, asOf, rest);
    const counted = rows.map((row, i) => toMeasures(row, kept.get(rest[i]!.conversationId)!));
    let next = 0;
    return candidates.map((_, i) => known[i] ?? counted[next++]!);
  }

  private async counted(
    sql: Sql,
    userId: string,
    asOf: Date,
    candidates: readonly Candidate[],
  ): Promise<MeasureRow[]> {
    return sql.rows<MeasureRow>(MEASURE, measureValues(userId, asOf, candidates));
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

/**
 * What there is to say of a conversation without reading a message; null: it has to be counted. What
 * a client is behind in goes on, and nothing is kept of it; one that is new to it is served whatever
 * the count would be (`uncounted`).
 */
function measuresKept(c: Candidate, kept: Kept, uncounted: boolean): Measures | null {
  const { digest, compares, unread, receipts } = kept;
  const behind = c.have < c.upTo;
  if (behind && !(uncounted && c.fresh)) return null;
  if (digest === null || unread === null || (c.digest !== null && !compares)) return null;
  return {
    above: behind ? null : 0,
    changed: 0,
    digestAtHave: c.digest === null ? null : digest,
    digest,
    digestFrom: null,
    digestSince: null,
    digestUntil: null,
    unread,
    unreadAfter: null,
    unreadUntil: null,
    receipts,
  };
}

function toMeasures(row: MeasureRow, { receipts }: Kept): Measures {
  const { above, changed, unread } = row;
  return {
    above,
    changed,
    unread,
    receipts,
    digestAtHave: row.compared_digest ?? row.compared,
    digest: row.digest ?? row.lines ?? [],
    digestFrom: row.digest_from,
    digestSince: row.digest_since,
    digestUntil: row.digest_until,
    unreadAfter: row.unread_after,
    unreadUntil: row.unread_until,
  };
}

/** `most`: so many that are not listed; one more tells only that there are others. */
function toMemberships(
  all: readonly (KnownRow & (MembershipRow | { conversation_id: null }))[],
  most = Infinity,
): Memberships {
  const { applied, partitions } = all[0]!;
  const found = all.filter((row): row is KnownRow & MembershipRow => row.conversation_id !== null);
  const unlisted = found.filter((row) => !row.listed);
  const beyond = unlisted.length > most ? unlisted.at(-1) : undefined;
  const rows = found.filter((row) => row !== beyond);
  const kept = new Map<string, Kept>();
  for (const { conversation_id, digest, compares, unread, receipts } of rows) {
    if (receipts !== null) kept.set(conversation_id, { digest, compares, unread, receipts });
  }
  return {
    memberships: rows.map(toMembership),
    kept,
    complete: !beyond,
    applied: (applied ?? '').split(' ').map(BigInt),
    partitions: new Set(partitions?.split(' ').map(Number)),
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
