import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { calmTrouble } from '@tidings/common/kafka/wire/calm-log';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogConsumerStrategy, type MemberStore } from '@tidings/common/kafka/consumer/log-consumer';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Sql } from '../database/database';
import { ReceiptWriter, ReceiptWriterMetrics } from './receipt-writer';

/** Partitions applied at the same time; each needs a connection. */
export const CONCURRENT_RECEIPTS = 2;
/** Nobody waits for a stored receipt: batches are worth it. Milliseconds and bytes. */
const MAX_WAIT_MS = 100;
const MIN_BYTES = 64 * 1024;

/** The consumer of the receipt log; its group is joined when the strategy starts. */
export function openReceipts(options: {
  kafka: KafkaClient;
  sql: Sql;
  memberIds: MemberStore;
  logger: Logger;
  metrics: Metrics;
  defects: Defects;
  onFatal(error: Error): void;
}): LogConsumerStrategy {
  const { kafka, sql, memberIds, logger, metrics, defects, onFatal } = options;
  const writer: ReceiptWriter = new ReceiptWriter({
    sql,
    logger,
    defects,
    metrics: new ReceiptWriterMetrics(metrics),
    deadLetter: (record, reason) => strategy.deadLetter(record, reason),
  });
  const strategy: LogConsumerStrategy = new LogConsumerStrategy({
    kafka,
    onFatal,
    memberStore: memberIds,
    groupId: GROUPS.storageReceipts,
    handlers: { [TOPICS.receipts]: writer },
    minBytes: MIN_BYTES,
    maxWaitTimeInMs: MAX_WAIT_MS,
    partitionsConsumedConcurrently: CONCURRENT_RECEIPTS,
    gapFound: ({ expected, found, ...gap }) =>
      logger.error(
        { ...gap, expected: String(expected), found: String(found) },
        'receipts are missing from the log: an operator has to decide',
      ),
    onError: calmTrouble(logger, 'receipt consumer trouble'),
  });
  return strategy;
}
