import type { GatewayContext } from '../gateway.context';
import type { LogParts } from '../send/log.parts';
import type { SendParts } from '../send/send.parts';
import { LogEnds } from './log-ends';
import { ReceiptJudge } from './receipt-judge';
import { ReceiptLog } from './receipt-log';

/** The way of watermarks into their log. */
export function makeReceipts(
  { positions, metrics, clock, wallClock }: GatewayContext,
  { receipts: writer, barrier }: LogParts,
  { membership }: SendParts,
) {
  const partitionOf = (conversationId: string): number => writer.partitionOf(conversationId);
  const ends = new LogEnds({ barrier, positions, partitionOf, clock });
  return {
    judge: new ReceiptJudge(membership, ends),
    log: new ReceiptLog({ writer, metrics: metrics.receipts, clock, wallClock }),
  };
}
