import { TidingsError } from '@tidings/protocol/errors';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import type { OutRecord } from '@tidings/common/log-events/record';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Appended } from './drain-attempt';
import type { DrainJudge, Verdict } from './drain-judge';
import type { StoredEntry } from './partition-spool';
import { placeOnly, spooledMessage, type SpooledMessage } from './spooled-message';

/** A message of the spool that is in the log. */
export interface DrainedMessage {
  message: SpooledMessage;
  offset: bigint;
  /** Its life was over: this append has nothing else of it. */
  placeOnly?: boolean;
}

/** Tells the senders what became of messages that have left the spool. */
interface DrainAnswers {
  /** They are in the log, in this order. */
  drained(appended: readonly DrainedMessage[]): void;
  /** Storage knew the id already. */
  known(message: SpooledMessage, first: FirstAppend): void;
  refused(message: SpooledMessage, error: TidingsError): void;
}

export interface DrainerParts {
  judge: Pick<DrainJudge, 'judge'>;
  answers: DrainAnswers;
  logger: Pick<Logger, 'warn' | 'error'>;
}

/** Entries with their verdicts; `message` null: nothing that this version can send. */
export interface Judged {
  message: SpooledMessage | null;
  record: OutRecord;
  verdict: Verdict;
}

/** Why the log does not take an entry, as an error code. */
const REFUSALS = { too_large: 'payload_too_large', unencodable: 'internal' } as const;
const UNKNOWN: Verdict = { refused: new TidingsError('invalid_request') };

/** Decides what of a spool goes to the log, and tells what became of it. */
export class Drainer {
  constructor(private readonly parts: DrainerParts) {}

  /** Verdicts in the order of the entries; null: nobody can tell now. Never rejects. */
  async judge(entries: readonly StoredEntry[]): Promise<Judged[] | null> {
    const messages = entries.map(({ record }) => spooledMessage(record));
    const verdicts = await this.parts.judge.judge(messages.filter((message) => message !== null));
    if (!verdicts) return null;
    let next = 0;
    return messages.map((message, i) => {
      const { record } = entries[i]!;
      const verdict = message === null ? UNKNOWN : verdicts[next++]!;
      const over = 'append' in verdict && verdict.placeOnly === true;
      return { message, record: over ? placeOnly(record)! : record, verdict };
    });
  }

  /** Takes the answers of what was appended; gives how many entries from the first on are done with. */
  settle(judged: readonly Judged[], answers: readonly Appended[]): number {
    const appended: DrainedMessage[] = [];
    let done = 0;
    let next = 0;
    for (const { message, record, verdict } of judged) {
      if ('append' in verdict) {
        const answer = answers[next++];
        if (!answer) break;
        const { placeOnly } = verdict;
        if ('offset' in answer) appended.push({ message: message!, ...answer, placeOnly });
        else this.refuse(message, record, new TidingsError(REFUSALS[answer.reason]));
      } else if ('known' in verdict) {
        this.parts.answers.known(message!, verdict.known);
      } else {
        this.refuse(message, record, verdict.refused);
      }
      done++;
    }
    if (appended.length > 0) this.parts.answers.drained(appended);
    return done;
  }

  private refuse(message: SpooledMessage | null, record: OutRecord, error: TidingsError): void {
    const { key: conversationId, id: messageId, type } = record;
    const dropped = { conversationId, messageId, code: error.code };
    if (message) {
      this.parts.logger.warn(dropped, 'a held message was not sent');
      this.parts.answers.refused(message, error);
    } else {
      this.parts.logger.error({ ...dropped, type }, 'a held record is none that can be sent');
    }
  }
}
