import { Injectable } from '@nestjs/common';
import { contentProblem, PROBLEM_DETAILS } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import { extrasProblem } from '@tidings/protocol/extras';
import { MediaParts } from '../media/media.parts';
import { Lanes } from '../lanes/lanes';
import { FirstAppends } from './first-appends';
import { Membership, type SendTerms } from '../members/membership';
import {
  isSameMessage,
  MessageLog,
  type AdmittedMessage,
  type CompleteMessage,
  type SendReply,
} from './message-log';
import { contentHashOf } from '@tidings/common/log-records/message-record';
import { SendCounts } from './send-counts';
import { sentBody, type SentBody, type SentPlace } from './send-reply';

/** Body of the answer when the message is held on this gateway's disk: a `held` frame's. */
export interface HeldBody {
  messageId: string;
}

/** How long an HTTP send waits for storage's word, in milliseconds. */
const WAIT_MS = 2_000;
/** How long it waits for the log or the disk: a little longer than the log may stall. */
const LOG_WAIT_MS = 2_500;

/** Sends over HTTP. Each may be a repetition, so each asks storage first. */
@Injectable()
export class HttpSendService {
  constructor(
    private readonly log: MessageLog,
    private readonly membership: Membership,
    private readonly firsts: FirstAppends,
    private readonly counts: SendCounts,
    private readonly media: MediaParts,
    private readonly lanes: Lanes,
  ) {}

  /**
   * Sends a message. Throws `text_too_long`, `payload_too_large`, `invalid_request`,
   * `no_such_conversation`, `blocked`, `message_id_conflict`, `media_not_found`, `busy`,
   * `spool_full`, and `unavailable` when the outcome is not known in time.
   */
  async send(message: Omit<AdmittedMessage, 'contentHash'>): Promise<SentBody | HeldBody> {
    try {
      const refusal = this.lanes.textRefusal();
      if (refusal) throw refusal;
      const sent = await this.judged({ ...message, contentHash: checkedHash(message) });
      if ('position' in sent) this.counts.accepted += 1;
      return sent;
    } catch (error) {
      if (error instanceof TidingsError) this.counts.refused(error.code);
      throw error;
    }
  }

  private async judged(message: AdmittedMessage): Promise<SentBody | HeldBody> {
    const { conversationId, messageId, senderId } = message;
    if (!this.membership.isKnown(conversationId, senderId)) {
      await this.membership.require(conversationId, senderId);
    }
    const first = await this.firsts.lookUp(conversationId, messageId);
    if (first === null) {
      // Only here: what was appended before a block is answered as ever.
      await this.terms(message);
      const complete = await this.media.access.complete(message);
      return this.append(complete, await this.terms(message));
    }
    if (!isSameMessage(first, message)) throw new TidingsError('message_id_conflict');
    return { messageId, conversationId, position: first.position, sentAt: first.sentAt };
  }

  private async terms({ conversationId, senderId }: AdmittedMessage): Promise<SendTerms> {
    const known = this.membership.terms(conversationId, senderId);
    return known ?? this.membership.requireSender(conversationId, senderId);
  }

  private append(
    message: CompleteMessage,
    { ttlSeconds }: SendTerms,
  ): Promise<SentBody | HeldBody> {
    return new Promise((resolve, reject) => {
      const reply = new HttpReply(message, resolve, reject);
      if (this.log.join(message, reply)) return;
      if (this.log.append(message, reply, { again: true, confirmMs: WAIT_MS, ttlSeconds })) return;
      reply.refused(new TidingsError('busy'));
    });
  }
}

function checkedHash({ content, extras }: Pick<AdmittedMessage, 'content' | 'extras'>): string {
  const problem = contentProblem(content) ?? extrasProblem(extras ?? {});
  if (problem) throw new TidingsError(problem, { detail: PROBLEM_DETAILS[problem] });
  return contentHashOf(content, extras);
}

/** The answer of one HTTP send, given up in time. */
class HttpReply implements SendReply {
  private timer: NodeJS.Timeout;

  constructor(
    private readonly message: AdmittedMessage,
    private readonly resolve: (answer: SentBody | HeldBody) => void,
    private readonly reject: (error: TidingsError) => void,
  ) {
    this.timer = setTimeout(() => this.unknown(), LOG_WAIT_MS);
  }

  logged(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.unknown(), WAIT_MS);
  }

  held(): void {
    clearTimeout(this.timer);
    this.resolve({ messageId: this.message.messageId });
  }

  sent(place: SentPlace): void {
    clearTimeout(this.timer);
    this.resolve(sentBody(this.message, place));
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
