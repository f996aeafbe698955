import { Injectable } from '@nestjs/common';
import type { Broadcast } from '@tidings/protocol/broadcasts';
import { Database, type Sql } from '../database/database';
import * as SQL from './broadcasts.sql';

/** A broadcast as it is written. */
export interface NewBroadcast {
  messageId: string;
  senderId: string;
  deviceId: string;
  /** JSON text. */
  content: string;
  contentHash: string;
}

/** A broadcast of which something is to be appended. */
export interface BroadcastJob extends Omit<NewBroadcast, 'content'> {
  /** Null: it was deleted, or is in the log. */
  content: string | null;
  createdAt: Date;
  /** 1 at the first time; later ones may double a record. */
  attempts: number;
  /** Null: it is not known to be in the log. */
  position: string | null;
  /** Null: it was not deleted. */
  deletedBy: string | null;
  deletedOn: string | null;
  changeId: string | null;
}

/** Keeps this advisory lock apart from others in the same database. */
const LOCK = 7_303;

/** Messages to everybody, and what is left to do for them. */
@Injectable()
export class BroadcastsRepository {
  constructor(private readonly database: Database) {}

  /** Runs `work` in a transaction, one after the other over all instances: they are counted. */
  inTurn<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.database.transaction('', async (sql) => {
      await sql.rows({ text: 'SELECT pg_advisory_xact_lock($1)' }, [LOCK]);
      return work(sql);
    });
  }

  /** Whether a user may write to everybody, with an account that can be used. */
  async isBroadcaster(userId: string, sql: Sql = this.database): Promise<boolean> {
    return (await sql.rows(SQL.IS_BROADCASTER, [userId])).length > 0;
  }

  /** Who wrote the broadcast of this id, and what; null: there is none. */
  async find(
    sql: Sql,
    messageId: string,
  ): Promise<{ senderId: string; contentHash: string } | null> {
    const [row] = await sql.rows<{ senderId: string; contentHash: string }>(SQL.FIND, [messageId]);
    return row ?? null;
  }

  /** Milliseconds until there may be one more, when there may be so many in an hour. */
  async waitMs(sql: Sql, perHour: number): Promise<number> {
    const [row] = await sql.rows<{ waitMs: number }>(SQL.WAIT, [perHour]);
    return row?.waitMs ?? 0;
  }

  /** Adds a broadcast, and the conversation of everybody when it is the first. */
  async add(
    sql: Sql,
    { messageId, senderId, deviceId, content, contentHash }: NewBroadcast,
    conversation: { partition: number; title: string },
  ): Promise<void> {
    await sql.rows(SQL.BEGIN, [conversation.partition, conversation.title, senderId]);
    await sql.rows(SQL.ADD, [messageId, senderId, deviceId, content, contentHash]);
  }

  /** Deletes a broadcast by this change; false when it was deleted before. */
  async delete(
    sql: Sql,
    messageId: string,
    by: { userId: string; deviceId: string; changeId: string },
  ): Promise<boolean> {
    const values = [messageId, by.userId, by.deviceId, by.changeId];
    return (await sql.rows(SQL.DELETE, values)).length > 0;
  }

  /** See {@link SQL.TAKE}; to be called by one instance at a time. */
  take(sql: Sql): Promise<BroadcastJob[]> {
    return sql.rows<BroadcastJob & Record<string, unknown>>(SQL.TAKE);
  }

  /** It is in the log, first at this position. */
  async sent(sql: Sql, messageId: string, position: string): Promise<void> {
    await sql.rows(SQL.SENT, [messageId, position]);
  }

  /** Nothing is left to do for it. */
  async done(sql: Sql, messageId: string): Promise<void> {
    await sql.rows(SQL.DONE, [messageId]);
  }

  /** See {@link SQL.PUT_OFF}. */
  async putOff(sql: Sql, messageId: string): Promise<void> {
    await sql.rows(SQL.PUT_OFF, [messageId]);
  }

  /** Position of a message to everybody, once storage has applied it. */
  async position(sql: Sql, conversationId: string, messageId: string): Promise<string | null> {
    const [row] = await sql.rows<{ position: string }>(
      {
        name: 'broadcasts-position',
        text: 'SELECT position FROM messages WHERE conversation_id = $1 AND message_id = $2',
      },
      [conversationId, messageId],
    );
    return row?.position ?? null;
  }

  /** Whether something is left to append for a broadcast. */
  async isOpen(messageId: string): Promise<boolean> {
    return (await this.database.rows(SQL.IS_OPEN, [messageId])).length > 0;
  }

  /** Whether work was left undone that this term's leader has to do. */
  async isOverdue(term: string): Promise<boolean> {
    return (await this.database.rows(SQL.OVERDUE, [term])).length > 0;
  }

  /** State and counts; null: there is no such broadcast. */
  async show(messageId: string): Promise<Broadcast | null> {
    const [row] = await this.database.rows<Broadcast & Record<string, unknown>>(SQL.SHOW, [
      messageId,
    ]);
    return row ?? null;
  }
}
