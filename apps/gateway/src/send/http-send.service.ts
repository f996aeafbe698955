import { Injectable } from '@nestjs/common';
import { contentProblem, type Content } from '@tidings/common/contracts/content';
import { TidingsError } from '@tidings/common/contracts/errors';
import { LIMITS } from '@tidings/common/contracts/limits';
import { MediaParts } from '../media/media.parts';
import { isoTime } from '../socket/iso-time';
import { FirstAppends } from './first-appends';
import { Membership } from './membership';
import {
  isSameMessage,
  MessageLog,
  type AdmittedMessage,
  type CompleteMessage,
  type SendReply,
} from './message-log';
import { contentHashOf } from './message-record';
import { SendCounts } from './send-counts';

/** Body of the answer: a `sent` frame without its type. */
export interface SentBody {
  messageId: string;
  conversationId: string;
  position: string;
  sentAt: string;
}

/** How long an HTTP send waits for the log, and then for storage, in milliseconds. */
const WAIT_MS = 2_000;

/** Sends over HTTP. Each may be a repetition, so each asks storage first. */
@Injectable()
export class HttpSendService {
  constructor(
    private readonly log: MessageLog,
    private readonly membership: Membership,
    private readonly firsts: FirstAppends,
    private readonly counts: SendCounts,
    private readonly media: MediaParts,
  ) {}

  /**
   * Sends a message. Throws `text_too_long`, `invalid_request`, `no_such_conversation`,
   * `message_id_conflict`, `media_not_found`, `busy`, and `unavailable` when the outcome is not known in time.
   */
  async send(
    message: Omit<AdmittedMessage, 'contentHash'> & { content: Content },
  ): Promise<SentBody> {
    try {
      const sent = await this.judged({ ...message, contentHash: checkedHash(message.content) });
      this.counts.accepted += 1;
      return sent;
    } catch (error) {
      if (error instanceof TidingsError) this.counts.refused(error.code);
      throw error;
    }
  }

  private async judged(message: AdmittedMessage): Promise<SentBody> {
    const { conversationId, messageId, senderId } = message;
    if (!this.membership.isKnown(conversationId, senderId)) {
      await this.membership.require(conversationId, senderId);
    }
    const first = await this.firsts.lookUp(conversationId, messageId);
    if (first === null) return this.append(await this.media.access.complete(message));
    if (!isSameMessage(first, message)) throw new TidingsError('message_id_conflict');
    return { messageId, conversationId, position: first.position, sentAt: first.sentAt };
  }

  private append(message: CompleteMessage): Promise<SentBody> {
    return new Promise((resolve, reject) => {
      const reply = new HttpReply(message, resolve, reject);
      if (this.log.join(message, reply)) return;
      if (this.log.append(message, reply, { again: true, confirmMs: WAIT_MS })) return;
      reply.refused(new TidingsError('busy'));
    });
  }
}

function checkedHash(content: Content): string {
  const problem = contentProblem(content);
  if (problem === 'text_too_long') {
    const detail = `text: at most ${LIMITS.textBytes} bytes`;
    throw new TidingsError(problem, { detail });
  }
  if (problem) {
    const detail = 'text: NUL and lone surrogates cannot be stored';
    throw new TidingsError(problem, { detail });
  }
  return contentHashOf(content);
}

/** The answer of one HTTP send, given up in time. */
class HttpReply implements SendReply {
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly message: AdmittedMessage,
    private readonly resolve: (sent: SentBody) => void,
    private readonly reject: (error: TidingsError) => void,
  ) {
    this.timer = setTimeout(() => this.unknown(), WAIT_MS);
  }

  logged(): void {
    this.timer.refresh();
  }

  sent(position: string, sentAtMs: number): void {
    clearTimeout(this.timer);
    const { messageId, conversationId } = this.message;
    this.resolve({ messageId, conversationId, position, sentAt: isoTime(sentAtMs) });
  }

  refused(error: TidingsError): void {
    clearTimeout(this.timer);
    this.reject(error);
  }

  unknown(): void {
    const detail = 'The outcome is not known yet; send it again with the same id';
    this.refused(new TidingsError('unavailable', { detail }));
  }
}
