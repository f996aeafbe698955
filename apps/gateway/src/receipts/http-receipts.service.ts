import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { ReceiptsBody } from '@tidings/protocol/http';
import { mergeMarks } from '@tidings/protocol/receipt-marks';
import type { Principal } from '../auth/principal';
import { ReceiptJudge } from './receipt-judge';
import { ReceiptLog } from './receipt-log';

/** How long a call waits for the log, in milliseconds. */
const WAIT_MS = 1_000;

/** Watermarks that are raised over HTTP. */
@Injectable()
export class HttpReceiptsService {
  constructor(
    private readonly judge: ReceiptJudge,
    private readonly receipts: ReceiptLog,
  ) {}

  /**
   * Raises the caller's marks. True: they are in the log; false: on their way. Throws
   * `no_such_conversation`, `invalid_request` above the log's end, `unavailable`, `busy`.
   */
  async raise(
    { userId, deviceId }: Pick<Principal, 'userId' | 'deviceId'>,
    conversationId: string,
    body: ReceiptsBody,
  ): Promise<boolean> {
    await this.judge.require(userId, { conversationId, ...body });
    const marks = { conversationId, userId, deviceId, ...mergeMarks(body, {}) };
    const done = await this.receipts.append(marks, WAIT_MS);
    if (done === null) throw new TidingsError('busy');
    return done;
  }
}
