import { readDeadLetter } from '../../log-events/dead-letter';
import type { LogOffsets } from '../offsets/log-offsets';
import type { LetterBook } from './letter-book';

/** The most answers that one call reads of a topic; each has up to a mebibyte. */
const PARTS_AT_ONCE = 64;

/**
 * Reads dead-letter topics into a book, each from where it ended last, without a consumer group: whoever
 * looks leaves no trace in Kafka.
 */
export class LetterReader {
  /** Where to read on, by topic and partition. */
  private readonly next = new Map<string, bigint[]>();
  /** Up to where the book was trimmed. */
  private readonly low = new Map<string, bigint>();

  constructor(
    private readonly offsets: Pick<LogOffsets, 'read' | 'logBounds'>,
    private readonly timeoutMs: number,
  ) {}

  /** Reads what has come; false: there is more. Rejects when Kafka does not answer in time. */
  async readOn(topic: string, book: LetterBook): Promise<boolean> {
    const { offsets, timeoutMs } = this;
    let next = this.next.get(topic);
    if (!next) {
      book.forget(topic);
      next = (await offsets.logBounds(topic, timeoutMs)).map(({ low }) => low);
      this.next.set(topic, next);
    }
    let atEnd = true;
    for (const [partition, from] of next.entries()) {
      let at = from;
      let reached = false;
      for (let parts = 0; parts < PARTS_AT_ONCE && !reached; parts++) {
        const part = await offsets.read(topic, partition, at, {}, timeoutMs);
        if (!part) {
          // the log begins later now, or was made anew: from its start
          this.next.delete(topic);
          return false;
        }
        for (const record of part.records) {
          const found = readDeadLetter(record);
          if (found) book.take(found);
        }
        this.trim(topic, partition, part.low, book);
        at = next[partition] = part.next;
        reached = at >= part.high || part.records.length === 0;
      }
      atEnd &&= reached;
    }
    return atEnd;
  }

  private trim(topic: string, partition: number, low: bigint, book: LetterBook): void {
    const place = `${topic}/${partition}`;
    if (this.low.get(place) === low) return;
    this.low.set(place, low);
    book.trim(topic, partition, low);
  }
}
