import { isSentContent, type Content, type SentContent } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import { mayBeSameHash } from '@tidings/common/log-events/events';
import type { Extras } from '@tidings/protocol/extras';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import { RecentIds, type RecentId } from './recent-ids';
import { isoTime } from '../socket/iso-time';
import type { DrainedMessage } from '../spool/drainer';
import type { HeldMessage, HeldMessages } from './held-messages';
import type { HoldingWriter } from '../spool/holding-writer';
import type { SendResult } from '../spool/spool-lane';
import type { SpooledMessage } from '../spool/spooled-message';
import type { FirstAppends } from './first-appends';
import type { LogPositions } from './log-positions';
import { messageRecord } from '@tidings/common/log-records/message-record';
import type { QueueShares } from './queue-shares';
import { placeOf, type SendReply } from './send-reply';

export type { SendReply } from './send-reply';

/** A message that passed admission. */
export interface AdmittedMessage {
  conversationId: string;
  messageId: string;
  senderId: string;
  deviceId: string;
  content: Content | SentContent;
  /** null: none, as usual. */
  extras: Extras | null;
  /** Over content and extras. */
  contentHash: string;
}

/** A message with all that its record holds. */
export type CompleteMessage = AdmittedMessage & { content: SentContent };

/** Whether nothing is missing for the record: a text is complete as it came. */
export function isComplete(message: AdmittedMessage): message is CompleteMessage {
  return isSentContent(message.content);
}

export interface MessageLogParts {
  writer: Pick<HoldingWriter, 'append' | 'isHolding'>;
  /** What lies on the disk. */
  held: HeldMessages;
  /** What each sender has in the writer's queue. */
  shares: QueueShares;
  positions: LogPositions;
  firsts: Pick<FirstAppends, 'confirm'>;
  /** Telling a sender what became of a message threw. */
  failed: (error: unknown) => void;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds; becomes `sentAt`. */
  wallClock: () => number;
}

/** How a message is appended. */
export interface AppendOptions {
  /** It may have been appended before: its position is asked from storage. */
  again: boolean;
  /** For how long storage is asked, milliseconds. */
  confirmMs: number;
  /** How long the message lives, seconds; null: for good. */
  ttlSeconds: number | null;
}

/** Most appends that wait for storage's word at a time. */
const MAX_CONFIRMING = 20_000;
/** How long senders of drained messages wait for storage's word: then they ask again themselves. */
const DRAINED_CONFIRM_MS = 60_000;

/** Why a send got nowhere, as an error code. */
const REFUSALS = {
  too_large: 'payload_too_large',
  full: 'spool_full',
  not_stored: 'unavailable',
  unencodable: 'internal',
  stopped: 'unavailable',
} as const;

/** A message on its way from the spool to its senders' `sent`. */
interface Drained {
  message: SpooledMessage;
  entry: RecentId<SendReply>;
  /** Offset of its append. */
  after: bigint;
  /** The append had nothing else of it. */
  placeOnly: boolean;
}

/**
 * Appends messages and finds out their first positions. A second send of an id that is on its way
 * here, or was appended here lately, joins the first one.
 */
export class MessageLog {
  private readonly recent = new RecentIds<SendReply>();
  private confirming = 0;

  constructor(private readonly parts: MessageLogParts) {}

  /** Answers from an earlier send of the same id, now or later; false when none is known here. */
  join(message: AdmittedMessage, reply: SendReply): boolean {
    const { held } = this.parts;
    if (held.size > 0 && held.join(message, reply)) return true;
    const { conversationId, messageId } = message;
    const entry = this.recent.get(conversationId, messageId);
    if (entry) {
      const same = mayBeSameHash(entry.contentHash, message.contentHash);
      if (entry.senderId !== message.senderId || !same) {
        reply.refused(new TidingsError('message_id_conflict'));
      } else {
        entry.waiters ??= [];
        entry.waiters.push(reply);
      }
      return true;
    }
    const now = this.parts.wallClock();
    const known = this.recent.known(conversationId, messageId, message, now);
    if (!known) return false;
    if (known.same) reply.sent(known);
    else reply.refused(new TidingsError('message_id_conflict'));
    return true;
  }

  /** Appends a message. Returns false, and answers nothing, when the queue or the sender's share of it is full. */
  append(message: CompleteMessage, reply: SendReply, options: AppendOptions): boolean {
    const { conversationId, messageId, senderId, contentHash } = message;
    const { ttlSeconds } = options;
    const sentAtMs = this.parts.wallClock();
    const expiresAtMs = ttlSeconds === null ? null : sentAtMs + ttlSeconds * 1000;
    const record = messageRecord({
      ...message,
      sentAt: isoTime(sentAtMs),
      ...(expiresAtMs !== null && { expiresAt: isoTime(expiresAtMs) }),
    });
    const { writer, held, shares } = this.parts;
    const bytes = Buffer.byteLength(record.value);
    if (writer.isHolding(conversationId) && !held.hasRoom(senderId, bytes)) {
      reply.refused(new TidingsError('spool_full'));
      return true;
    }
    if (!shares.take(senderId, bytes)) return false;
    const id = { senderId, contentHash, sentAtMs, expiresAtMs };
    const entry = this.recent.add(conversationId, messageId, id);
    const accepted = writer.append(
      record,
      (result) => {
        shares.give(senderId, bytes);
        try {
          this.appended(message, entry, reply, result, options.confirmMs);
        } catch (error) {
          this.parts.failed(error);
        }
      },
      options,
    );
    if (!accepted) {
      shares.give(senderId, bytes);
      this.recent.forget(conversationId, messageId, entry);
    }
    return accepted;
  }

  /** Messages of one partition's spool are in the log now, in this order: their senders hear of it. */
  drained(appended: readonly DrainedMessage[]): void {
    const drained: Drained[] = [];
    for (const { message, offset, placeOnly = false } of appended) {
      const { conversationId, messageId, senderId, contentHash, sentAtMs, expiresAtMs } = message;
      const held = this.parts.held.take(conversationId, messageId);
      if (!held?.waiters) continue;
      const id = { senderId, contentHash, sentAtMs, expiresAtMs };
      const entry = this.recent.add(conversationId, messageId, id);
      entry.waiters = held.waiters;
      drained.push({ message, entry, after: offset, placeOnly });
    }
    this.confirmDrained(drained).catch(this.parts.failed);
  }

  /** A held message was in storage already, or will not be sent: its senders hear of it. */
  notDrained(message: SpooledMessage, outcome: FirstAppend | TidingsError): void {
    const { conversationId, messageId } = message;
    for (const waiter of this.parts.held.take(conversationId, messageId)?.waiters ?? []) {
      if (outcome instanceof TidingsError) waiter.refused(outcome);
      else if (!isSameMessage(outcome, message)) {
        waiter.refused(new TidingsError('message_id_conflict'));
      } else waiter.sent(placeOf(outcome));
    }
  }

  private appended(
    message: AdmittedMessage,
    entry: RecentId<SendReply>,
    reply: SendReply,
    result: SendResult,
    confirmMs: number,
  ): void {
    const { conversationId, messageId } = message;
    if (!result.ok) {
      this.recent.forget(conversationId, messageId, entry);
      if (result.reason === 'held') return this.held(message, entry, reply, result);
      const error = new TidingsError(REFUSALS[result.reason]);
      this.tellAll(entry, reply, (one) => one.refused(error));
    } else if (!result.again) {
      const position = this.parts.positions.position(result.partition, result.offset);
      this.settle(message, entry, reply, position);
    } else {
      reply.logged();
      const { offset } = result;
      this.confirm(message, entry, reply, { after: offset, placeOnly: false, confirmMs }).catch(
        this.parts.failed,
      );
    }
  }

  private held(
    { conversationId, messageId, senderId, contentHash }: AdmittedMessage,
    entry: RecentId<SendReply>,
    reply: SendReply,
    { partition, sequence, bytes }: Pick<HeldMessage, 'partition' | 'sequence' | 'bytes'>,
  ): void {
    const waiters = [reply, ...(entry.waiters ?? [])];
    entry.waiters = null;
    const held = { senderId, contentHash, partition, sequence, bytes, waiters };
    this.parts.held.add(conversationId, messageId, held);
    for (const waiter of waiters) waiter.held();
  }

  /** Storage applies a partition in order: once it knows the last, the others cost it one call. */
  private async confirmDrained(drained: Drained[]): Promise<void> {
    const last = drained.pop();
    if (!last) return;
    const confirm = ({ message, entry, after, placeOnly }: Drained): Promise<void> =>
      this.confirm(message, entry, null, { after, placeOnly, confirmMs: DRAINED_CONFIRM_MS });
    await confirm(last);
    await Promise.all(drained.map(confirm));
  }

  /**
   * `placeOnly`: no life is left in this append. When another one was first, that one counts: `sent` while
   * it lives, since its push tells when it ends.
   */
  private async confirm(
    message: Pick<AdmittedMessage, 'conversationId' | 'messageId' | 'senderId' | 'contentHash'>,
    entry: RecentId<SendReply>,
    reply: SendReply | null,
    { after, placeOnly, confirmMs }: Pick<Drained, 'after' | 'placeOnly'> & { confirmMs: number },
  ): Promise<void> {
    const { conversationId, messageId } = message;
    let first: FirstAppend | null = null;
    if (this.confirming < MAX_CONFIRMING) {
      this.confirming += 1;
      first = await this.parts.firsts.confirm(conversationId, messageId, after, confirmMs);
      this.confirming -= 1;
    }
    if (first !== null && isSameMessage(first, message)) {
      const { sentAtMs, expiresAtMs } = placeOf(first);
      entry.sentAtMs = sentAtMs;
      entry.expiresAtMs = expiresAtMs;
      if (placeOnly && first.contentHash === null) {
        const expired = new TidingsError('content_expired');
        this.tellAll(entry, reply, (one) => one.refused(expired));
      }
      this.settle(message, entry, reply, first.position);
      return;
    }
    this.recent.forget(conversationId, messageId, entry);
    const error = new TidingsError('message_id_conflict');
    this.tellAll(entry, reply, (one) => (first === null ? one.unknown() : one.refused(error)));
  }

  /** The first position of a message is known: everybody who waits for it hears of it. */
  private settle(
    { conversationId, messageId }: Pick<AdmittedMessage, 'conversationId' | 'messageId'>,
    entry: RecentId<SendReply>,
    reply: SendReply | null,
    position: string,
  ): void {
    const now = this.parts.clock();
    this.recent.settle(conversationId, messageId, entry, { position, now });
    const { sentAtMs, expiresAtMs } = entry;
    this.tellAll(entry, reply, (one) => one.sent({ position, sentAtMs, expiresAtMs }));
  }

  private tellAll(
    entry: RecentId<SendReply>,
    first: SendReply | null,
    tell: (reply: SendReply) => void,
  ): void {
    if (first) tell(first);
    if (!entry.waiters) return;
    const { waiters } = entry;
    entry.waiters = null;
    for (const waiter of waiters) tell(waiter);
  }
}

/** Whether an id's first append is this message; a tombstone knows its sender only. */
export function isSameMessage(
  first: FirstAppend,
  message: Pick<AdmittedMessage, 'senderId' | 'contentHash'>,
): boolean {
  if (first.senderId !== message.senderId) return false;
  return first.contentHash === null || mayBeSameHash(first.contentHash, message.contentHash);
}
