import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { GROUPS, TOPICS } from '@tidings/common/contracts/topics';
import { BatchFrom } from '@tidings/common/kafka/batch-from';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/log-handler';
import { Router } from './router';

/** The conversation log's batches, one at a time per partition. */
@Controller()
export class MessagesConsumer {
  constructor(private readonly router: Router) {}

  @BatchFrom(TOPICS.messages, GROUPS.sessionRouting)
  handle(@Payload() batch: LogBatch): Promise<HandleOutcome> {
    return this.router.handle(batch);
  }
}
