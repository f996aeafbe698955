import { TidingsError } from '@tidings/protocol/errors';
import type { MarkFrame } from '@tidings/protocol/frames';
import { mergeMarks } from '@tidings/protocol/receipt-marks';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import type { Connection } from '../socket/connection';
import type { ReceiptFrames } from '../socket/frame-router';
import type { WriteQueue } from '../socket/write-queue';
import type { NamedMarks, ReceiptJudge } from './receipt-judge';
import type { ReceiptLog } from './receipt-log';
import type { ReceiptMetrics } from './receipt.metrics';

/** Frames that may wait for membership or the log's end, over all sockets; more are dropped. */
const MAX_ASKING = 5_000;

export interface ReceiptHandlerParts {
  judge: ReceiptJudge;
  receipts: ReceiptLog;
  metrics: ReceiptMetrics;
  writes: WriteQueue;
}

/**
 * Takes `received` and `read` frames. They hold up nothing: the common case runs through without a
 * promise, others wait beside the socket's frames (a maximum knows no order).
 */
export class ReceiptHandler implements ReceiptFrames {
  private asking = 0;

  constructor(
    private readonly parts: ReceiptHandlerParts,
    private readonly most = MAX_ASKING,
  ) {}

  /** Judges and takes one frame; answers only a refusal. */
  handle(connection: Connection, frame: MarkFrame): Promise<void> | void {
    const { conversationId, position } = frame;
    const marks: NamedMarks =
      frame.type === 'read'
        ? { conversationId, read: position }
        : { conversationId, delivered: position };
    if (this.parts.judge.isKnown(connection.userId, marks)) this.take(connection, marks);
    else if (this.asking < this.most) return this.ask(connection, marks);
    else this.parts.metrics.lost('busy');
  }

  /** Refuses marks that came too soon. */
  limited(connection: Connection, { conversationId }: MarkFrame, error: TidingsError): void {
    this.refuse(connection, conversationId, error);
  }

  private async ask(connection: Connection, marks: NamedMarks): Promise<void> {
    this.asking += 1;
    try {
      await this.parts.judge.require(connection.userId, marks);
      this.take(connection, marks);
    } catch (error) {
      this.refuse(connection, marks.conversationId, toTidingsError(error));
    } finally {
      this.asking -= 1;
    }
  }

  private take({ userId, deviceId }: Connection, { conversationId, ...marks }: NamedMarks): void {
    this.parts.receipts.take({ conversationId, userId, deviceId, ...mergeMarks(marks, {}) });
  }

  private refuse(connection: Connection, conversationId: string, error: TidingsError): void {
    if (error.code === 'unavailable') this.parts.metrics.lost('unavailable');
    this.parts.writes.refuse(connection, 'receipt', error, { conversationId });
  }
}
