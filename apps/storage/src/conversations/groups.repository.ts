import { Injectable } from '@nestjs/common';
import type { ConversationChange, HistoryMode, MemberRole } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import type { ConversationChanged } from '@tidings/common/log-events/events';
import type { ConversationKind } from '@tidings/protocol/content';
import type { Member } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { uuidv7 } from 'uuidv7';
import { Database, type Sql } from '../database/database';
import type { GroupChange, GroupState, Heir, Person, Standing } from '../domain/group-rules';
import * as SQL from './groups.sql';

/** A locked conversation, and what a decision about it may have to look up. */
export interface LockedGroup extends GroupState {
  /** Members now, those who are joining included. */
  size(): Promise<number>;
  /** Who takes over when this owner leaves: the oldest admin, else the oldest member. */
  heir(ownerId: string): Promise<Heir>;
  /** Whether all of these users exist. */
  allExist(userIds: readonly string[]): Promise<boolean>;
  /** Members who block the actor; a block that is being made waits for the lock, or was waited for. */
  blockedBy(): Promise<string[]>;
}

interface ConversationRow {
  kind: ConversationKind;
  title: string | null;
  messageTtlSeconds: number | null;
  history: HistoryMode;
  version: number;
}

interface PersonRow {
  userId: string;
  role: MemberRole;
  standing: Standing;
}

/** Changes of conversations and the lists of their members. */
@Injectable()
export class GroupsRepository {
  constructor(private readonly database: Database) {}

  /** Whether all of these users exist. */
  allExist(userIds: readonly string[]): Promise<boolean> {
    return allExist(this.database, userIds);
  }

  /**
   * Changes a conversation: `decide` sees it locked and says what is to be; that is written together
   * with one outbox row per change. Returns the message ids of the changes, in order. Throws
   * `no_such_conversation` and whatever `decide` throws; then nothing is written.
   */
  change(
    request: { actorId: string; conversationId: string; targetIds: readonly string[] },
    decide: (group: LockedGroup) => GroupChange | Promise<GroupChange>,
  ): Promise<string[]> {
    const { actorId, conversationId, targetIds } = request;
    return this.database.transaction('', async (sql) => {
      const [row] = await sql.rows<ConversationRow>(SQL.LOCK, [conversationId]);
      if (!row) throw new TidingsError('no_such_conversation');
      const people = await this.people(sql, conversationId, [actorId, ...targetIds]);
      const person = (userId: string): Person =>
        people.get(userId) ?? { userId, role: 'member', standing: 'never' };
      const change = await decide({
        ...row,
        actor: person(actorId),
        targets: targetIds.map(person),
        size: async () => (await one<{ size: number }>(sql, SQL.SIZE, [conversationId])).size,
        heir: (ownerId) => heirOf(sql, conversationId, ownerId),
        allExist: (userIds) => allExist(sql, userIds),
        blockedBy: async () => {
          const rows = await sql.rows<{ id: string }>(SQL.BLOCKED_BY, [conversationId, actorId]);
          return rows.map(({ id }) => id);
        },
      });
      if (change.changes.length === 0) return [];
      return write(sql, { conversationId, actorId, row, change });
    });
  }

  /** Throws `no_such_conversation` for who was never a member: strangers make nobody wait. */
  async requireKnown(userId: string, conversationId: string): Promise<void> {
    await this.people(this.database, conversationId, [userId]);
  }

  /** Whether the user is a member of a conversation that is in the log. */
  async isMember(userId: string, conversationId: string): Promise<boolean> {
    const rows = await this.database.rows(SQL.IS_MEMBER, [conversationId, userId]);
    return rows.length > 0;
  }

  /** Members by id, behind `after`, as the user may see them; nobody for outsiders. */
  members(
    userId: string,
    conversationId: string,
    after: string | null,
    limit: number,
  ): Promise<Member[]> {
    return this.database.rows<Member>(SQL.MEMBERS, [userId, conversationId, after, limit]);
  }

  /** Position of a change, once storage has applied its record. */
  async positionOf(conversationId: string, messageId: string): Promise<string | null> {
    const values = [conversationId, messageId];
    const [row] = await this.database.rows<{ position: string }>(SQL.CHANGE_POSITION, values);
    return row?.position ?? null;
  }

  /** Throws `no_such_conversation` when the first of them was never a member. */
  private async people(
    sql: Sql,
    conversationId: string,
    userIds: readonly string[],
  ): Promise<Map<string, PersonRow>> {
    const rows = await sql.rows<PersonRow>(SQL.PEOPLE, [conversationId, userIds]);
    const people = new Map(rows.map((row) => [row.userId, row]));
    if (!people.has(userIds[0]!)) throw new TidingsError('no_such_conversation');
    return people;
  }
}

async function allExist(sql: Sql, userIds: readonly string[]): Promise<boolean> {
  const [row] = await sql.rows<{ known: number }>(SQL.KNOWN_USERS, [userIds]);
  return row?.known === userIds.length;
}

async function heirOf(sql: Sql, conversationId: string, ownerId: string): Promise<Heir> {
  const [heir] = await sql.rows<{ userId: string; settled: boolean }>(SQL.HEIR, [
    conversationId,
    ownerId,
  ]);
  if (!heir) return null;
  return heir.settled ? heir.userId : 'unsettled';
}

async function write(
  sql: Sql,
  given: { conversationId: string; actorId: string; row: ConversationRow; change: GroupChange },
): Promise<string[]> {
  const { conversationId, row, change } = given;
  const { title = row.title, messageTtlSeconds = row.messageTtlSeconds } = change;
  const version = row.version + change.changes.length;
  await sql.rows(SQL.UPDATE, [conversationId, version, title, messageTtlSeconds]);
  if (change.add) await sql.rows(SQL.ADD, [conversationId, change.add, version]);
  if (change.remove) await sql.rows(SQL.REMOVE, [conversationId, change.remove, version]);
  for (const { userId, role } of change.roles ?? []) {
    await sql.rows(SQL.ROLE, [conversationId, userId, role]);
  }
  const { ids } = await one<{ ids: string[] }>(sql, SQL.COMING, [conversationId]);
  const members = ids.length < LIMITS.membersInline ? ids : [];
  const events = change.changes.map((each, i) =>
    eventOf(each, row.version + 1 + i, members, given),
  );
  for (const event of events) {
    const { messageId, version: of } = event;
    await sql.rows(SQL.OUTBOX, [messageId, conversationId, of, JSON.stringify(event)]);
  }
  return events.map((event) => event.messageId);
}

function eventOf(
  change: ConversationChange,
  version: number,
  members: string[],
  given: { conversationId: string; actorId: string; row: ConversationRow },
): ConversationChanged {
  const { conversationId, actorId, row } = given;
  const sentAt = new Date().toISOString();
  return {
    conversationId,
    messageId: uuidv7(),
    senderId: actorId,
    sentAt,
    version,
    kind: row.kind,
    members,
    change,
  };
}

async function one<R extends object>(
  sql: Sql,
  statement: { name: string; text: string },
  values: unknown[],
): Promise<R> {
  const [row] = await sql.rows<R>(statement, values);
  if (!row) throw new Error(`${statement.name}: no row`);
  return row;
}
