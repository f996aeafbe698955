import { Controller } from '@nestjs/common';
import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { BatchFrom } from '@tidings/common/kafka/consumer/batch-from';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Service } from '@tidings/common/runtime/service';
import { BatchWriter } from './batch-writer';
import { LagMetrics } from './writer-metrics';

/** Partitions whose batches are handled at the same time: all of a fetch share a statement. */
const CONCURRENT_PARTITIONS = 64;
/** A batch is worth waiting for: halves the cost per message at low rates. Milliseconds and bytes. */
const MAX_WAIT_MS = 25;
const MIN_BYTES = 256 * 1024;

/** Takes the batches of the conversation log. */
@Controller()
export class LogConsumer {
  constructor(private readonly writer: BatchWriter) {}

  /** One batch of one partition. */
  @BatchFrom(TOPICS.messages, GROUPS.storageWriter)
  handle(batch: LogBatch): Promise<HandleOutcome> {
    return this.writer.handle(batch);
  }
}

/** The consumer of the conversation log, for {@link LogConsumer}. */
export function logConsumer(
  service: Service,
  metrics: Metrics,
  batches: BatchWriter,
): LogConsumerStrategy {
  const lag = new LagMetrics(metrics);
  return service.consumer({
    lifecycle: batches,
    groupId: GROUPS.storageWriter,
    minBytes: MIN_BYTES,
    maxWaitTimeInMs: MAX_WAIT_MS,
    partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
    onBatch: (batch) => lag.seen(batch.partition, batch.lag),
  });
}
