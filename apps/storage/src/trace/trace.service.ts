import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import { uuid } from '@tidings/protocol/ids';
import type { RpcInput, RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import type { StoredTrace } from '@tidings/protocol/trace';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { DeadLetterWatch } from '../log/dead-letter-watch';
import { LogState } from '../log/log-state';
import { Progress } from '../log/progress';
import { type ReceiverRow, TraceRepository, type TraceRow } from './trace.repository';

type Rpc = typeof STORAGE_RPC;
type TraceOf = Pick<RpcInput<Rpc, 'messages.trace'>, 'userId' | 'conversationId' | 'messageId'>;

/** Tells senders which way their messages went. */
@Injectable()
export class TraceService {
  constructor(
    private readonly traces: TraceRepository,
    private readonly progress: Progress,
    private readonly log: LogState,
    private readonly deadLetters: DeadLetterWatch,
  ) {}

  /** See the call `messages.trace`. Throws `no_such_conversation`, `invalid_request`. */
  async get(input: RpcInput<Rpc, 'messages.trace'>): Promise<RpcOutput<Rpc, 'messages.trace'>> {
    const { userId, conversationId, messageId, cursor, limit, next, waitMs } = input;
    const after = cursor === undefined ? null : userOf(cursor);
    const partition = this.log.partitionOf(conversationId);
    const target = next === undefined ? null : { partition, next: BigInt(next) };
    if (target) await this.progress.wait([target], waitMs ?? 0);
    const row = await this.traces.find(this.log.topic, {
      userId,
      conversationId,
      messageId,
      after,
      limit: limit + 1,
    });
    if (!row) throw new TidingsError('no_such_conversation');
    const applied = !target || BigInt(row.applied) >= target.next;
    return { trace: toTrace(row, limit) ?? this.setAside(input), applied };
  }

  /** The trace of a message that is in the log, and that storage could not apply. */
  private setAside({ userId, conversationId, messageId }: TraceOf): StoredTrace | null {
    const letter = this.deadLetters.ofMessage(conversationId, messageId);
    if (!letter) return null;
    // an author who cannot be read: nobody but them knows the id
    if (letter.senderId !== null && letter.senderId !== userId) return null;
    const { timestamp } = letter.origin;
    return {
      // it has none in its conversation
      position: '0',
      accepted: isoTime(letter.time) ?? new Date(timestamp).toISOString(),
      stored: null,
      expired: null,
      setAside: new Date(letter.at).toISOString(),
      recipients: 0,
      delivered: [],
      read: [],
    };
  }
}

function toTrace(row: TraceRow, limit: number): StoredTrace | null {
  if (row.position === null) return null;
  const receivers = row.receivers ?? [];
  const part = receivers.slice(0, limit);
  const last = receivers.length > limit ? part.at(-1) : undefined;
  return {
    position: row.position,
    accepted: row.sent_at.toISOString(),
    stored: row.stored_at?.toISOString() ?? null,
    expired: row.expired_at?.toISOString() ?? null,
    setAside: null,
    recipients: row.recipients,
    delivered: part.filter((r) => r.delivered).map((r) => toMark(r, r.deliveredAt)),
    read: part.filter((r) => r.read).map((r) => toMark(r, r.readAt)),
    ...(last && { cursor: encodeCursor([last.userId]) }),
  };
}

function isoTime(text: string): string | null {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

function toMark({ userId }: ReceiverRow, at: string | null) {
  return { userId, at: at === null ? null : new Date(at).toISOString() };
}

function userOf(cursor: string): string {
  const parsed = uuid.safeParse(decodeCursor(cursor, 1)[0]);
  if (parsed.success) return parsed.data;
  throw new TidingsError('invalid_request', { detail: 'cursor: not one of ours' });
}
