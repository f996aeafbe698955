import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { ReceiptView } from '@tidings/common/rpc/calls';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import { readReceipts, type MemberMarks } from '@tidings/common/log-events/receipt-batch';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Notice } from '../domain/fan-out';
import { receiptNotices } from '../domain/receipt-notices';
import type { Deliveries } from '../routing/deliveries';
import type { ReceiptSource } from './receipt-source';
import type { ReceiptPushMetrics } from './receipt.metrics';
import { within } from '@tidings/common/runtime/waiting';

/** Longest time that one batch may hold up its partition's fetch loop, in milliseconds. */
const BATCH_MS = 2_000;
const RETRY_MS = 500;

export interface ReceiptRouterParts {
  source: ReceiptSource;
  deliveries: Pick<Deliveries, 'handOut'>;
  deadLetter: (record: LogRecord, reason: string) => Promise<void>;
  metrics: ReceiptPushMetrics;
  defects: Pick<Defects, 'note'>;
  logger: Logger;
}

/**
 * Whom of everybody something has reached is told to nobody; what they have read, to their own devices. After
 * a broadcast there is one such mark for each user.
 */
function isToldOf({ conversationId, read }: MemberMarks): boolean {
  return conversationId !== EVERYONE_ID || read !== '0';
}

/** Pushes the watermarks of the receipt log to whom they concern. A batch that cannot be is tried again. */
export class ReceiptRouter {
  private readonly troubled = new Set<number>();

  constructor(private readonly parts: ReceiptRouterParts) {}

  /** Routes one batch. Never throws, and never takes much longer than {@link BATCH_MS}. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    const { metrics, logger } = this.parts;
    const { partition } = batch;
    try {
      const commit = await within(this.route(batch), BATCH_MS);
      this.troubled.delete(partition);
      return { done: true, commit };
    } catch (error) {
      metrics.putOff();
      if (!this.troubled.has(partition)) logger.warn({ err: error, partition }, 'receipts wait');
      this.troubled.add(partition);
      return { retryAfterMs: RETRY_MS };
    }
  }

  private async route(batch: LogBatch): Promise<bigint> {
    const { source, deliveries, deadLetter, metrics } = this.parts;
    const { members: all, bad, next } = readReceipts(batch.records);
    const members = all.filter(isToldOf);
    for (const { record, reason } of bad) await deadLetter(record, reason);
    const views = await source.find(members);
    const news: { member: MemberMarks; view: ReceiptView }[] = [];
    let untold = 0;
    const notices: Notice[] = [];
    members.forEach((member, i) => {
      const view = views[i] ?? null;
      if (view === null) return void untold++;
      const own = this.noticesOf(member, view);
      if (own === null) return;
      notices.push(...own);
      news.push({ member, view });
    });
    const { pushes } = await deliveries.handOut(notices);
    for (const { member, view } of news) source.pushed(member, view);
    const old = members.length - untold - news.length;
    const latencyMs = Date.now() - batch.records[0]!.timestamp;
    metrics.routed({ told: news.length, old, untold, pushes, latencyMs });
    return next;
  }

  /**
   * What is to be pushed of one member's marks; null: nothing that is new. Marks that this throws over
   * are not pushed: the next sync shows them.
   */
  private noticesOf(member: MemberMarks, view: ReceiptView): Notice[] | null {
    const { source, defects } = this.parts;
    try {
      if (source.isOld(member, view)) return null;
      return receiptNotices(member, view, source.pushedBefore(member));
    } catch (error) {
      defects.note('record', error, { conversationId: member.conversationId });
      return null;
    }
  }
}
