import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { BatchFrom } from '@tidings/common/kafka/consumer/batch-from';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import { Tracker } from './tracker';

/** The batches of connections that opened and closed. */
@Controller()
export class ConnectionsConsumer {
  constructor(private readonly tracker: Tracker) {}

  @BatchFrom(TOPICS.presence, GROUPS.presenceTracker)
  handle(@Payload() batch: LogBatch): Promise<HandleOutcome> {
    return this.tracker.handle(batch);
  }
}
