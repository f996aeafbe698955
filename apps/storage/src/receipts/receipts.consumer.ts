import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Service } from '@tidings/common/runtime/service';
import type { Sql } from '../database/database';
import { ReceiptWriter, ReceiptWriterMetrics } from './receipt-writer';

/** Partitions applied at the same time; each needs a connection. */
export const CONCURRENT_RECEIPTS = 2;
/** Nobody waits for a stored receipt: batches are worth it. Milliseconds and bytes. */
const MAX_WAIT_MS = 100;
const MIN_BYTES = 64 * 1024;

/** The consumer of the receipt log; its group is joined when the strategy starts. */
export function receiptsConsumer(
  service: Service,
  { sql, logger, metrics }: { sql: Sql; logger: Logger; metrics: Metrics },
): LogConsumerStrategy {
  const writer: ReceiptWriter = new ReceiptWriter({
    sql,
    logger,
    defects: service.defects,
    metrics: new ReceiptWriterMetrics(metrics),
    deadLetter: (record, reason) => strategy.deadLetter(record, reason),
  });
  const strategy: LogConsumerStrategy = service.consumer({
    groupId: GROUPS.storageReceipts,
    handlers: { [TOPICS.receipts]: writer },
    minBytes: MIN_BYTES,
    maxWaitTimeInMs: MAX_WAIT_MS,
    partitionsConsumedConcurrently: CONCURRENT_RECEIPTS,
    says: {
      gap: 'receipts are missing from the log: an operator has to decide',
      trouble: 'receipt consumer trouble',
    },
  });
  return strategy;
}
