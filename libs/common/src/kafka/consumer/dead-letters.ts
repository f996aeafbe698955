import type { Producer } from '../wire/client';
import { DEAD_LETTER_HEADERS } from '../../log-events/dead-letter';
import { deadLetterTopic } from '../../log-events/topics';
import type { KafkaClient } from '../wire/client';
import type { LogRecord } from '../../log-events/record';

const MAX_REASON_CHARS = 1_000;

/**
 * Produces records that a group can never apply to `<topic>.<group>.dlq`, unchanged, with origin
 * and reason in headers. A dead letter may appear twice; its origin shows that.
 */
export class DeadLetters {
  private producer: Producer | null = null;

  constructor(
    private readonly kafka: KafkaClient,
    private readonly groupId: string,
  ) {}

  /** Resolves when it is in the log of all in-sync replicas; otherwise rejects. */
  async put(record: LogRecord, reason: string): Promise<void> {
    const producer = await this.connected();
    const [result] = await producer.send({
      topic: deadLetterTopic(record.topic, this.groupId),
      acks: -1,
      timeout: 1_500,
      messages: [
        {
          key: record.key,
          value: record.value,
          headers: {
            ...record.headers,
            [DEAD_LETTER_HEADERS.reason]: reason.slice(0, MAX_REASON_CHARS),
            [DEAD_LETTER_HEADERS.topic]: record.topic,
            [DEAD_LETTER_HEADERS.partition]: String(record.partition),
            [DEAD_LETTER_HEADERS.offset]: String(record.offset),
            [DEAD_LETTER_HEADERS.timestamp]: String(record.timestamp),
            [DEAD_LETTER_HEADERS.group]: this.groupId,
          },
        },
      ],
    });
    if (!result?.baseOffset) throw new Error('the dead letter was not acknowledged');
  }

  async close(): Promise<void> {
    const producer = this.producer;
    this.producer = null;
    await producer?.disconnect().catch(() => undefined);
  }

  private async connected(): Promise<Producer> {
    if (!this.producer) {
      const producer = this.kafka
        .instance({ requestTimeout: 2_000 })
        .producer({ idempotent: false, allowAutoTopicCreation: false, retry: { retries: 2 } });
      await producer.connect();
      this.producer = producer;
    }
    return this.producer;
  }
}
