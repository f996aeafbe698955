import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { TRACE } from './trace.sql';

/** Which message of which user, and from where on its receivers are wanted. */
export interface TraceTarget {
  userId: string;
  conversationId: string;
  messageId: string;
  /** Receivers above this user id; null: from the first. */
  after: string | null;
  limit: number;
}

/** One receiver; times as PostgreSQL writes them in JSON. */
export interface ReceiverRow {
  userId: string;
  delivered: boolean;
  deliveredAt: string | null;
  read: boolean;
  readAt: string | null;
}

/** A message's way; without `position` there is no such message of this user. */
export interface TraceRow {
  position: string | null;
  sent_at: Date;
  stored_at: Date | null;
  expired_at: Date | null;
  /** Next offset to apply in the conversation's partition. */
  applied: string;
  recipients: number;
  receivers: ReceiverRow[] | null;
}

/** Reads what is known of messages' ways. */
@Injectable()
export class TraceRepository {
  constructor(private readonly database: Database) {}

  /** Null for outsiders. `topic`: the conversation log. */
  async find(topic: string, target: TraceTarget): Promise<TraceRow | null> {
    const { userId, conversationId, messageId, after, limit } = target;
    const values = [userId, conversationId, messageId, topic, after, limit];
    const [row] = await this.database.rows<TraceRow>(TRACE, values);
    return row ?? null;
  }
}
