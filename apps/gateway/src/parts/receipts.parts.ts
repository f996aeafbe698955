import type { GatewayContext } from '../gateway.context';
import type { LogParts } from './log.parts';
import type { SendParts } from './send.parts';
import { LogEnds } from '../receipts/log-ends';
import { ReceiptJudge } from '../receipts/receipt-judge';
import { ReceiptLog } from '../receipts/receipt-log';

export type ReceiptParts = ReturnType<typeof makeReceipts>;

/** The way of watermarks into their log. */
export function makeReceipts(
  { positions, metrics, lanes, clock, wallClock }: GatewayContext,
  { receipts: writer, barrier }: LogParts,
  { membership }: SendParts,
) {
  const partitionOf = (conversationId: string): number => writer.partitionOf(conversationId);
  const ends = new LogEnds({ barrier, positions, partitionOf, clock });
  return {
    judge: new ReceiptJudge(membership, ends),
    log: new ReceiptLog({ writer, metrics: metrics.receipts, lanes, clock, wallClock }),
  };
}
