import { LetterBook, type BookEntry } from '@tidings/common/kafka/dead-letters/letter-book';
import { LetterReader } from '@tidings/common/kafka/dead-letters/letter-reader';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { topicNames } from '@tidings/common/kafka/wire/cluster-view';
import type { LogRecord } from '@tidings/common/log-events/record';
import { isDeadLetterTopic } from '@tidings/common/log-events/topics';

const READ_WITHIN_MS = 15_000;
/** Records of which more than the number is known. */
const HELD = 100_000;

/** Reads all dead letters of a Kafka, as often as they are asked for. */
export class DeadLetterShelf {
  readonly offsets: LogOffsets;
  private readonly book = new LetterBook(HELD);
  private readonly reader: LetterReader;
  private topics: string[] | null = null;

  constructor(private readonly kafka: KafkaClient) {
    this.offsets = new LogOffsets(kafka, { requestTimeout: 5_000 });
    this.reader = new LetterReader(this.offsets, READ_WITHIN_MS);
  }

  /** All that there is by now. */
  async read(): Promise<LetterBook> {
    this.topics ??= (await topicNames(this.kafka)).filter(isDeadLetterTopic);
    for (const topic of this.topics) {
      while (!(await this.reader.readOn(topic, this.book)));
    }
    return this.book;
  }

  /** The record itself, as it was set aside; null: retention has taken it. */
  async recordOf({ letters }: BookEntry): Promise<LogRecord | null> {
    for (const { topic, partition, offset } of letters) {
      const part = await this.offsets.read(topic, partition, offset, { maxBytes: 1 });
      const record = part?.records.find((one) => one.offset === offset);
      if (record) return record;
    }
    return null;
  }

  close(): void {
    this.offsets.close();
  }
}
