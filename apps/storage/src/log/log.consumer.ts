import { Controller } from '@nestjs/common';
import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { BatchFrom } from '@tidings/common/kafka/consumer/batch-from';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import { BatchWriter } from '../messages/batch-writer';

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
