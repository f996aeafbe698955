import { Controller } from '@nestjs/common';
import { GROUPS, TOPICS } from '@tidings/common/contracts/topics';
import { BatchFrom } from '@tidings/common/kafka/batch-from';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/log-handler';
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
