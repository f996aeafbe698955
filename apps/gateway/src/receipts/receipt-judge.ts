import { TidingsError } from '@tidings/protocol/errors';
import { maxPosition } from '@tidings/protocol/positions';
import { mergeMarks, type Marks } from '@tidings/protocol/receipt-marks';
import type { Membership } from '../members/membership';
import type { LogEnds } from './log-ends';

/** Watermarks as a client names them. */
export type NamedMarks = { conversationId: string } & Partial<Marks>;

/** Who may raise which marks: a member, up to the log's end. */
export class ReceiptJudge {
  constructor(
    private readonly membership: Pick<Membership, 'isKnown' | 'require'>,
    private readonly ends: LogEnds,
  ) {}

  /** Whether memory alone says yes; false says nothing. */
  isKnown(userId: string, marks: NamedMarks): boolean {
    const { conversationId } = marks;
    if (!this.membership.isKnown(conversationId, userId)) return false;
    return this.ends.covers(conversationId, highest(marks));
  }

  /** Throws `no_such_conversation`, `invalid_request` above the log's end, `unavailable`. */
  async require(userId: string, marks: NamedMarks): Promise<void> {
    const { conversationId } = marks;
    if (!this.membership.isKnown(conversationId, userId)) {
      await this.membership.require(conversationId, userId);
    }
    const reached = await this.ends.reaches(conversationId, highest(marks));
    if (reached) return;
    if (reached === null) throw new TidingsError('unavailable');
    throw new TidingsError('invalid_request', { detail: 'position: beyond the end of the log' });
  }
}

function highest(marks: Partial<Marks>): string {
  const { delivered, read } = mergeMarks(marks, {});
  return maxPosition(delivered, read);
}
