import { type DeadLetterMark, markHeaders } from '../../log-events/dead-letter';
import type { KafkaClient, Producer } from '../wire/client';
import type { BookEntry } from './letter-book';

/** What an operator says about a letter. */
export type NewMark = Pick<DeadLetterMark, 'mark' | 'by' | 'reason' | 'to'>;

const MAX_TEXT_CHARS = 1_000;

/**
 * Writes what operators do about dead letters beside the letters: a record with the letter's key and
 * origin, without a value. It counts for the letters of all groups that set the same record aside.
 */
export class LetterMarks {
  private producer: Producer | null = null;

  constructor(private readonly kafka: KafkaClient) {}

  /** Resolves when it is in the log of all in-sync replicas; otherwise rejects. */
  async put({ letters, origin }: BookEntry, mark: NewMark): Promise<void> {
    const [letter] = letters;
    if (!letter) throw new Error('nothing is set aside');
    const producer = await this.connected();
    const [reason, by] = [mark.reason, mark.by].map((text) => text.slice(0, MAX_TEXT_CHARS));
    const headers = markHeaders(origin, { ...mark, reason: reason!, by: by! });
    const [result] = await producer.send({
      topic: letter.topic,
      acks: -1,
      timeout: 5_000,
      messages: [{ partition: letter.partition, key: letter.key, value: null, headers }],
    });
    if (!result?.baseOffset) throw new Error('the mark was not acknowledged');
  }

  async close(): Promise<void> {
    const producer = this.producer;
    this.producer = null;
    await producer?.disconnect().catch(() => undefined);
  }

  private async connected(): Promise<Producer> {
    if (!this.producer) {
      const producer = this.kafka
        .instance()
        .producer({ idempotent: false, allowAutoTopicCreation: false, retry: { retries: 2 } });
      await producer.connect();
      this.producer = producer;
    }
    return this.producer;
  }
}
