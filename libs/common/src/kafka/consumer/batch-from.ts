import { EventPattern } from '@nestjs/microservices';
import type { HandleOutcome, LogBatch } from './log-handler';

/** Nest's transport id of a consumer group. Binds handlers only to the strategy of that group. */
export function groupTransport(groupId: string): symbol {
  return Symbol.for(`kafka-group:${groupId}`);
}

type BatchMethod = (batch: LogBatch) => Promise<HandleOutcome>;

/**
 * Marks a controller method as the handler of a topic's batches in one consumer group. It is called
 * with one batch at a time per partition.
 */
export function BatchFrom(topic: string, groupId: string) {
  const mark = EventPattern<string>(topic, groupTransport(groupId));
  return <M extends BatchMethod>(
    target: object,
    method: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): void => {
    mark(target, method, descriptor);
  };
}
