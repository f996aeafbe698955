import { isSentContent, type Content, type SentContent } from '@tidings/common/contracts/content';
import { TidingsError } from '@tidings/common/contracts/errors';
import type { FirstAppend } from '@tidings/common/contracts/internal';
import type { AppendResult, LogWriter } from '@tidings/common/kafka/log-writer';
import { RecentIds, type RecentId } from '../domain/recent-ids';
import { isoTime } from '../socket/iso-time';
import type { FirstAppends } from './first-appends';
import type { LogPositions } from './log-positions';
import { messageRecord } from './message-record';

/** Where the outcome of a send goes; `logged` may come first, exactly one of the others once. */
export interface SendReply {
  /** Appended as `again`: what comes now depends on storage alone. */
  logged(): void;
  sent(position: string, sentAtMs: number): void;
  refused(error: TidingsError): void;
  /** Nobody can tell at the moment; the sender asks again. */
  unknown(): void;
}

/** A message that passed admission. */
export interface AdmittedMessage {
  conversationId: string;
  messageId: string;
  senderId: string;
  deviceId: string;
  content: Content | SentContent;
  contentHash: string;
}

/** A message with all that its record holds. */
export type CompleteMessage = AdmittedMessage & { content: SentContent };

/** Whether nothing is missing for the record: a text is complete as it came. */
export function isComplete(message: AdmittedMessage): message is CompleteMessage {
  return isSentContent(message.content);
}

export interface MessageLogParts {
  writer: Pick<LogWriter, 'append'>;
  positions: LogPositions;
  firsts: Pick<FirstAppends, 'confirm'>;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds; becomes `sentAt`. */
  wallClock: () => number;
}

/** Most appends that wait for storage's word at a time. */
const MOST_CONFIRMING = 20_000;

/**
 * Appends messages and finds out their first positions. A second send of an id that is on its way
 * here, or was appended here lately, joins the first one.
 */
export class MessageLog {
  private readonly recent: RecentIds<SendReply>;
  private confirming = 0;

  constructor(private readonly parts: MessageLogParts) {
    this.recent = new RecentIds(parts.clock());
  }

  /** Answers from an earlier send of the same id, now or later; false when none is known here. */
  join(message: AdmittedMessage, reply: SendReply): boolean {
    const entry = this.recent.get(message.conversationId, message.messageId);
    if (!entry || entry.doubtful) return false;
    if (entry.senderId !== message.senderId || entry.contentHash !== message.contentHash) {
      reply.refused(new TidingsError('message_id_conflict'));
    } else if (entry.position !== null) {
      reply.sent(entry.position, entry.sentAtMs);
    } else {
      entry.waiters ??= [];
      entry.waiters.push(reply);
    }
    return true;
  }

  /**
   * Appends a message. `again`: it may have been appended before, so its position is asked from
   * storage for up to `confirmMs`. Returns false, and answers nothing, when the queue is full.
   */
  append(
    message: CompleteMessage,
    reply: SendReply,
    options: { again: boolean; confirmMs: number },
  ): boolean {
    const { conversationId, messageId, senderId, contentHash } = message;
    const sentAtMs = this.parts.wallClock();
    const record = messageRecord({ ...message, sentAt: isoTime(sentAtMs) });
    const entry = this.recent.add(
      conversationId,
      messageId,
      { senderId, contentHash, sentAtMs },
      this.parts.clock(),
    );
    const accepted = this.parts.writer.append(
      record,
      (result) => this.appended(message, entry, reply, result, options.confirmMs),
      options,
    );
    if (!accepted) this.recent.forget(conversationId, messageId);
    return accepted;
  }

  private appended(
    message: AdmittedMessage,
    entry: RecentId<SendReply>,
    reply: SendReply,
    result: AppendResult,
    confirmMs: number,
  ): void {
    if (!result.ok) {
      this.recent.forget(message.conversationId, message.messageId);
      const code = result.reason === 'too_large' ? 'payload_too_large' : 'unavailable';
      this.settle(entry, reply, (one) => one.refused(new TidingsError(code)));
    } else if (!result.again) {
      entry.position = this.parts.positions.position(result.partition, result.offset);
      reply.sent(entry.position, entry.sentAtMs);
      if (entry.waiters) this.settle(entry, null, (one) => this.tell(one, entry));
    } else {
      reply.logged();
      void this.confirm(message, entry, reply, { after: result.offset, confirmMs });
    }
  }

  private async confirm(
    message: AdmittedMessage,
    entry: RecentId<SendReply>,
    reply: SendReply,
    { after, confirmMs }: { after: bigint; confirmMs: number },
  ): Promise<void> {
    const { conversationId, messageId } = message;
    let first: FirstAppend | null = null;
    if (this.confirming < MOST_CONFIRMING) {
      this.confirming += 1;
      first = await this.parts.firsts.confirm(conversationId, messageId, after, confirmMs);
      this.confirming -= 1;
    }
    if (first === null) {
      entry.doubtful = true;
      this.settle(entry, reply, (one) => one.unknown());
    } else if (isSameMessage(first, message)) {
      entry.position = first.position;
      entry.sentAtMs = Date.parse(first.sentAt);
      this.settle(entry, reply, (one) => this.tell(one, entry));
    } else {
      this.recent.forget(conversationId, messageId);
      this.settle(entry, reply, (one) => one.refused(new TidingsError('message_id_conflict')));
    }
  }

  private tell(reply: SendReply, entry: RecentId<SendReply>): void {
    reply.sent(entry.position ?? '0', entry.sentAtMs);
  }

  private settle(
    entry: RecentId<SendReply>,
    first: SendReply | null,
    tell: (reply: SendReply) => void,
  ): void {
    const waiters = entry.waiters ?? [];
    entry.waiters = null;
    if (first) tell(first);
    for (const waiter of waiters) tell(waiter);
  }
}

/** Whether an id's first append is this message; a tombstone knows its sender only. */
export function isSameMessage(
  first: FirstAppend,
  message: Pick<AdmittedMessage, 'senderId' | 'contentHash'>,
): boolean {
  if (first.senderId !== message.senderId) return false;
  return first.contentHash === null || first.contentHash === message.contentHash;
}
