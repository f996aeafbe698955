import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { MemberCache } from '@tidings/common/redis/members';
import { FETCHING, type SessionParts } from '../session.parts';
import { ReceiptPushMetrics } from './receipt.metrics';
import { ReceiptRouter } from './receipt-router';
import { ReceiptSource } from './receipt-source';

/** Pushes of watermarks. Missing ones are made up by syncs, so a hole stops nothing. */
export function receiptsConsumer(parts: SessionParts): LogConsumerStrategy {
  const { service, storage, deliveries } = parts;
  const { metrics, logger } = parts.options;
  const figures = new ReceiptPushMetrics(metrics);
  const copies = new MemberCache(service.redis);
  const router = new ReceiptRouter({
    deliveries,
    logger,
    metrics: figures,
    defects: service.defects,
    source: new ReceiptSource(storage, copies, () => figures.askFailed()),
    deadLetter: (record, reason) => strategy.deadLetter(record, reason),
  });
  const strategy = service.consumer({
    ...FETCHING,
    groupId: GROUPS.sessionReceipts,
    handlers: { [TOPICS.receipts]: router },
    onGap: 'skip',
  });
  return strategy;
}
