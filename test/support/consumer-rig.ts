import { type KafkaClient, createKafka } from '@tidings/common/kafka/wire/client';
import {
  type LogConsumerOptions,
  LogConsumerStrategy,
} from '@tidings/common/kafka/consumer/log-consumer';
import type {
  HandleOutcome,
  LogBatch,
  LogHandler,
} from '@tidings/common/kafka/consumer/log-handler';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { ensureTopics } from '@tidings/common/kafka/wire/topics';
import { testTopic } from './kafka-topic';

type Decide = (batch: LogBatch) => HandleOutcome | Promise<HandleOutcome>;

/** A handler that collects what it is given and answers what `decide` says (default: done). */
export class Collector implements LogHandler {
  /** Ids of the records whose batch was done. */
  readonly ids: string[] = [];
  readonly batches: LogBatch[] = [];

  constructor(private readonly decide: Decide = () => ({ done: true })) {}

  async handle(batch: LogBatch): Promise<HandleOutcome> {
    this.batches.push(batch);
    const outcome = await this.decide(batch);
    if ('done' in outcome) this.ids.push(...batch.records.map((record) => record.id));
    return outcome;
  }
}

/** Topics, records and consumers for the tests of consumption. */
export class ConsumerRig {
  readonly kafka: KafkaClient;
  readonly offsets: LogOffsets;
  private running: LogConsumerStrategy[] = [];

  constructor(
    broker: string,
    private readonly partitions: number,
  ) {
    this.kafka = createKafka({ brokers: [broker], clientId: 'test' });
    this.offsets = new LogOffsets(this.kafka);
  }

  async createTopic(topic: string): Promise<void> {
    await ensureTopics(this.kafka, [testTopic(topic, this.partitions)]);
  }

  /** Appends records with ids `from`..`to` and returns when all are in the log. */
  async append(topic: string, from: number, to: number): Promise<void> {
    const { kafka, partitions } = this;
    const writer = new LogWriter({ kafka, topic, partitions, source: 'n', epoch: 1 });
    await writer.start();
    for (let n = from; n < to; n++) {
      const record = { key: `key-${n}`, type: 'test', id: `${n}`, time: 't', value: `{"n":${n}}` };
      writer.append(record, () => undefined);
    }
    await writer.stop({ flushMs: 20_000 });
  }

  async start(options: Partial<LogConsumerOptions>): Promise<LogConsumerStrategy> {
    const strategy = new LogConsumerStrategy({ kafka: this.kafka, groupId: 'g', ...options });
    this.running.push(strategy);
    await strategy.start();
    return strategy;
  }

  /** Sum of a group's committed offsets over all partitions. */
  async committed(group: string, topic: string): Promise<bigint> {
    const perPartition = await this.offsets.fetchGroupOffsets(group, topic);
    return perPartition.reduce<bigint>((sum, offset) => sum + (offset ?? 0n), 0n);
  }

  async closeConsumers(): Promise<void> {
    await Promise.all(this.running.splice(0).map((strategy) => strategy.close()));
  }

  close(): void {
    this.offsets.close();
  }
}
