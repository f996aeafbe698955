import { TidingsError } from '@tidings/protocol/errors';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import type { FirstAppends } from '../send/first-appends';
import type { Membership } from '../members/membership';
import type { SpooledMessage } from './spooled-message';

/**
 * What is to be done with a held message: append it (`placeOnly`: its life is over, and nothing else of
 * it), or it is known, or its sender may not send it.
 */
export type Verdict =
  { append: true; placeOnly?: boolean } | { known: FirstAppend } | { refused: TidingsError };

/** Who sent a held message, and from where. */
export type Sender = Pick<SpooledMessage, 'senderId' | 'deviceId'>;

export interface DrainJudgeParts {
  membership: Pick<Membership, 'maySend' | 'requireSender'>;
  firsts: Pick<FirstAppends, 'lookUp' | 'lookUpBelow'>;
  /** Which of these senders may send nothing now. Rejects when nobody can tell. */
  disabled: (senders: readonly Sender[]) => Promise<ReadonlySet<string>>;
  /** The end of the log that a conversation is in; null: the log cannot be asked now. */
  logEnd: (conversationId: string) => Promise<bigint | null>;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/** Judges held messages once more before they go to the log. */
export class DrainJudge {
  constructor(private readonly parts: DrainJudgeParts) {}

  /** A verdict for each; null when nobody can tell who is a member: later again. Never rejects. */
  async judge(messages: readonly SpooledMessage[]): Promise<Verdict[] | null> {
    const disabled = this.parts.disabled(messages);
    // whoever waits for it hears of it
    disabled.catch(() => undefined);
    const rights = new Map<string, Promise<TidingsError | null>>();
    const verdicts = messages.map((message) => {
      const { conversationId, senderId } = message;
      const key = senderId + conversationId;
      const right = rights.get(key) ?? this.refusal(conversationId, senderId, disabled);
      rights.set(key, right);
      return this.one(message, right);
    });
    const judged = await Promise.all(verdicts);
    const unclear = judged.some((verdict) => 'refused' in verdict && verdict.refused.retryable);
    return unclear ? null : judged;
  }

  private async one(
    message: SpooledMessage,
    right: Promise<TidingsError | null>,
  ): Promise<Verdict> {
    const { conversationId, messageId, expiresAtMs } = message;
    // what is in the log counts, whatever happened since
    const known = await this.parts.firsts.lookUp(conversationId, messageId);
    if (known) return { known };
    const refused = await right;
    if (refused) return this.refused(message, refused);
    const placeOnly = expiresAtMs !== null && expiresAtMs <= this.parts.wallClock();
    return { append: true, placeOnly };
  }

  /**
   * An append of it may have got through although its answer was lost: until storage has applied all of
   * the log, nobody may be told that it was refused.
   */
  private async refused(message: SpooledMessage, refused: TidingsError): Promise<Verdict> {
    if (refused.retryable) return { refused };
    const { conversationId, messageId } = message;
    const end = await this.parts.logEnd(conversationId);
    const known =
      end === null
        ? undefined
        : await this.parts.firsts.lookUpBelow(conversationId, messageId, end);
    if (known === undefined) return { refused: new TidingsError('unavailable') };
    return known ? { known } : { refused };
  }

  private async refusal(
    conversationId: string,
    senderId: string,
    disabled: Promise<ReadonlySet<string>>,
  ): Promise<TidingsError | null> {
    const { membership } = this.parts;
    try {
      if ((await disabled).has(senderId)) return new TidingsError('forbidden');
      if (membership.maySend(conversationId, senderId)) return null;
      await membership.requireSender(conversationId, senderId);
      return null;
    } catch (error) {
      return toTidingsError(error);
    }
  }
}
