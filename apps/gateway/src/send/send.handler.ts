import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { TidingsError } from '@tidings/protocol/errors';
import { extrasOf } from '@tidings/protocol/extras';
import type { SendFrame } from '@tidings/protocol/frames';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import { isFresh } from './message-age';
import { conversationKey, directKey, StickyRefusals } from '../socket/sticky-refusals';
import type { MediaAccess } from '../media/media-access';
import type { Connection } from '../socket/connection';
import type { SendFrames } from '../socket/frame-router';
import type { PreparedSend } from '../socket/inbound-frame';
import { heldFrameText, sentFrameText } from '../socket/server-frames';
import type { WriteQueue } from '../socket/write-queue';
import type { DirectConversations } from './direct-conversations';
import type { FirstAppends } from './first-appends';
import type { Membership, SendTerms } from '../members/membership';
import { contentHashOf } from '@tidings/common/log-records/message-record';
import {
  isComplete,
  isSameMessage,
  type AdmittedMessage,
  type CompleteMessage,
  type MessageLog,
  type SendReply,
} from './message-log';
import type { SendCounts } from './send-counts';
import { placeOf, sentBody, type SentPlace } from './send-reply';

/** A client asks again after 10 s without an answer. */
const CONFIRM_MS = 10_000;
/** When a send that was refused for want of room may come again, milliseconds. */
const BUSY_RETRY_MS = 1_000;

export interface SendHandlerParts {
  log: MessageLog;
  membership: Membership;
  directs: DirectConversations;
  firsts: FirstAppends;
  media: Pick<MediaAccess, 'complete'>;
  writes: WriteQueue;
  counts: SendCounts;
  close(connection: Connection, code: number, reason: string): void;
  wallClock: () => number;
}

/**
 * The life of a `send` frame, when it may be sent now: membership and blocks, same id in storage (only
 * when it may not be the first), same id here, append. The common case runs through without a promise.
 */
export class SendHandler implements SendFrames {
  constructor(readonly parts: SendHandlerParts) {}

  /** Asks storage early for a send that has to wait for its turn. */
  prepare(frame: SendFrame): PreparedSend {
    const { conversationId, messageId } = frame;
    const ask = conversationId !== undefined && this.mayBeAgain(frame);
    return { frame, first: ask ? this.parts.firsts.lookUp(conversationId, messageId) : null };
  }

  /** Refuses a send that would overtake an earlier one which was refused. */
  stuck(connection: Connection, frame: SendFrame): boolean {
    if (connection.sticky === null) return false;
    const code = connection.sticky.check(this.keyOf(connection, frame), frame.messageId);
    if (connection.sticky.empty) connection.sticky = null;
    if (code) this.answer(connection, frame, new TidingsError(code));
    return code !== null;
  }

  /** Refuses a send that came too soon. */
  limited(connection: Connection, frame: SendFrame, error: TidingsError): void {
    this.refuse(connection, frame, error, this.keyOf(connection, frame));
  }

  /** Judges and appends one send. Never throws or rejects. */
  handle(connection: Connection, { frame, first }: PreparedSend): Promise<void> | void {
    const { directs, membership } = this.parts;
    if (connection.unanswered >= LIMITS.unansweredSends) {
      return this.limited(
        connection,
        frame,
        new TidingsError('busy', { retryAfterMs: BUSY_RETRY_MS }),
      );
    }
    const id = frame.conversationId ?? directs.known(connection.userId, frame.to ?? '');
    const terms = id === undefined ? null : membership.terms(id, connection.userId);
    if (id === undefined || terms === null) return this.admit(connection, frame, first);
    const send = new SocketSend(this, connection, frame, id);
    if (this.mayBeAgain(frame)) return this.askFirst(send, first);
    if (this.parts.log.join(send.message, send)) return;
    return this.append(send, terms, false);
  }

  /** Answers a refusal; a retryable one sticks to the conversation. */
  refuse(connection: Connection, frame: SendFrame, error: TidingsError, key: string): void {
    if (error.retryable) {
      connection.sticky ??= new StickyRefusals();
      if (!connection.sticky.refused(key, frame.messageId, error.code)) {
        this.parts.close(connection, CLOSE_CODES.tooManyFrames, 'too many refused conversations');
        return;
      }
    }
    this.answer(connection, frame, error);
  }

  /** The key under which refusals of this send stick. */
  keyOf(connection: Connection, frame: SendFrame): string {
    if (frame.conversationId !== undefined) return conversationKey(frame.conversationId);
    const to = frame.to ?? '';
    const key = directKey(to);
    if (connection.sticky?.has(key)) return key;
    const known = this.parts.directs.known(connection.userId, to);
    return known === undefined ? key : conversationKey(known);
  }

  private answer(connection: Connection, frame: SendFrame, error: TidingsError): void {
    const { messageId, conversationId } = frame;
    this.parts.counts.refused(error.code);
    const echo = { ref: messageId, messageId, conversationId };
    this.parts.writes.refuse(connection, frame.type, error, echo);
  }

  private async admit(
    connection: Connection,
    frame: SendFrame,
    first: Promise<FirstAppend | null> | null,
  ): Promise<void> {
    const { directs, membership } = this.parts;
    try {
      const { userId } = connection;
      const id = frame.conversationId ?? (await directs.resolve(connection, frame.to ?? ''));
      const again = this.mayBeAgain(frame);
      let terms = membership.terms(id, userId);
      // What was appended before a block is answered as ever.
      if (!terms && again) await membership.require(id, userId);
      else terms ??= await membership.requireSender(id, userId);
      const send = new SocketSend(this, connection, frame, id);
      if (again || !terms) await this.askFirst(send, first);
      else if (!this.parts.log.join(send.message, send)) await this.append(send, terms, false);
    } catch (error) {
      this.refuse(connection, frame, toTidingsError(error), this.keyOf(connection, frame));
    }
  }

  /** Storage before memory: what was appended here may have been appended elsewhere before. */
  private async askFirst(
    send: SocketSend,
    asked: Promise<FirstAppend | null> | null,
  ): Promise<void> {
    const { conversationId, messageId } = send.message;
    const first = await (asked ?? this.parts.firsts.lookUp(conversationId, messageId));
    if (first === null) {
      if (!this.parts.log.join(send.message, send)) await this.appendAgain(send);
    } else if (isSameMessage(first, send.message)) {
      send.sent(placeOf(first));
    } else send.refused(new TidingsError('message_id_conflict'));
  }

  private async appendAgain(send: SocketSend): Promise<void> {
    try {
      await this.append(send, await this.termsNow(send), true);
    } catch (error) {
      send.refused(toTidingsError(error));
    }
  }

  /** Throws what {@link Membership.requireSender} does. */
  private async termsNow({ message }: SocketSend): Promise<SendTerms> {
    const { conversationId, senderId } = message;
    const { membership } = this.parts;
    const known = membership.terms(conversationId, senderId);
    return known ?? membership.requireSender(conversationId, senderId);
  }

  private append(send: SocketSend, terms: SendTerms, again: boolean): Promise<void> | void {
    if (!isComplete(send.message)) return this.complete(send, again);
    return this.log(send.message, send, { ttlSeconds: terms.ttlSeconds, again });
  }

  /** An image or a file: storage knows what is to be said of it. */
  private async complete(send: SocketSend, again: boolean): Promise<void> {
    try {
      const message = await this.parts.media.complete(send.message);
      const terms = await this.termsNow(send);
      // The same id may have come by another connection meanwhile.
      if (!this.parts.log.join(message, send))
        this.log(message, send, { ttlSeconds: terms.ttlSeconds, again });
    } catch (error) {
      send.refused(toTidingsError(error));
    }
  }

  private log(
    message: CompleteMessage,
    send: SocketSend,
    { ttlSeconds, again }: SendTerms & { again: boolean },
  ): void {
    const options = { again, confirmMs: CONFIRM_MS, ttlSeconds };
    if (this.parts.log.append(message, send, options)) return;
    send.refused(new TidingsError('busy', { retryAfterMs: BUSY_RETRY_MS }));
  }

  private mayBeAgain(frame: SendFrame): boolean {
    return frame.retry === true || !isFresh(frame.messageId, this.parts.wallClock());
  }
}

/** One send of a socket, from admission to its answer. */
class SocketSend implements SendReply {
  readonly message: AdmittedMessage;
  private counted = true;

  constructor(
    private readonly handler: SendHandler,
    private readonly connection: Connection,
    private readonly frame: SendFrame,
    conversationId: string,
  ) {
    connection.unanswered += 1;
    const extras = extrasOf(frame);
    this.message = {
      conversationId,
      messageId: frame.messageId,
      senderId: connection.userId,
      deviceId: connection.deviceId,
      content: frame.content,
      extras,
      contentHash: contentHashOf(frame.content, extras),
    };
  }

  logged(): void {
    if (!this.counted) return;
    this.counted = false;
    this.connection.unanswered -= 1;
  }

  held(): void {
    this.logged();
    this.handler.parts.writes.send(this.connection, heldFrameText(this.message.messageId));
  }

  sent(place: SentPlace): void {
    this.logged();
    const { writes, counts } = this.handler.parts;
    counts.accepted += 1;
    writes.send(this.connection, sentFrameText(sentBody(this.message, place)));
  }

  refused(error: TidingsError): void {
    this.logged();
    const key = conversationKey(this.message.conversationId);
    this.handler.refuse(this.connection, this.frame, error, key);
  }

  unknown(): void {
    this.logged();
  }
}
