import { LetterBook } from '@tidings/common/kafka/dead-letters/letter-book';
import { LetterReader } from '@tidings/common/kafka/dead-letters/letter-reader';
import type { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { DeadLetter } from '@tidings/common/log-events/dead-letter';
import { deadLetterTopic, GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import { Rounds } from '@tidings/common/runtime/rounds';

const EVERY_MS = 2_000;
const READ_WITHIN_MS = 3_000;
/** Records that are set aside of which more than the number is known. */
const HELD = 20_000;
/** Where a message is that storage could not apply. */
const OF_MESSAGES = deadLetterTopic(TOPICS.messages, GROUPS.storageWriter);
/** A send, whatever its version. */
const SENDS = EVENT_TYPES.messageSent.slice(0, EVENT_TYPES.messageSent.lastIndexOf('.') + 1);

export interface DeadLetterWatchParts {
  offsets: Pick<LogOffsets, 'read' | 'logBounds'>;
  /** The dead-letter topics of all services. */
  topics: readonly string[];
  isLeader: () => boolean;
  metrics: Metrics;
  logger: Logger;
  everyMs?: number;
}

/**
 * Follows the dead letters of all groups. Their messages were acknowledged and are missing: the leader
 * makes an alert of it (a gauge, a log line), and every instance can say so of a message.
 */
export class DeadLetterWatch {
  private readonly rounds: Rounds;
  private readonly reader: LetterReader;
  private readonly book = new LetterBook(HELD);
  private readonly gauge;
  /** What was told last, by topic; empty for those that do not lead. */
  private readonly told = new Map<string, number>();
  private failing = false;

  constructor(private readonly parts: DeadLetterWatchParts) {
    const { offsets, metrics, logger, everyMs = EVERY_MS } = parts;
    this.rounds = new Rounds(() => this.look(), { name: 'dead letter watch', everyMs, logger });
    this.reader = new LetterReader(offsets, READ_WITHIN_MS);
    this.gauge = metrics.gauge(
      'dead_letters_open',
      'Records set aside, neither replayed nor dropped; told by the leader of storage',
      { labelNames: ['topic'] as const },
    );
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /** The letter of a message that storage could not apply and nobody has settled, as of the last round. */
  ofMessage(conversationId: string, messageId: string): DeadLetter | null {
    for (const { letters } of this.book.open()) {
      for (const letter of letters) {
        if (letter.topic !== OF_MESSAGES || !letter.type.startsWith(SENDS)) continue;
        if (letter.key === conversationId && letter.eventId === messageId) return letter;
      }
    }
    return null;
  }

  /**
   * One round. A topic that could not be read keeps its figure. Throws in the first of several rounds that
   * fail: while Kafka is away others say so, too.
   */
  async look(): Promise<void> {
    const { topics, isLeader } = this.parts;
    const reads = topics.map((topic) => this.reader.readOn(topic, this.book));
    const outcomes = await Promise.allSettled(reads);
    if (this.rounds.stopped) return;
    if (isLeader()) this.tell();
    else this.forget();
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    const goesOn = this.failing;
    this.failing = failed !== undefined;
    if (failed && !goesOn) throw failed.reason;
  }

  private tell(): void {
    for (const topic of this.parts.topics) {
      const open = this.book.openIn(topic);
      this.gauge.set({ topic }, open);
      this.say(topic, open, this.told.get(topic) ?? 0);
      this.told.set(topic, open);
    }
  }

  private say(topic: string, open: number, before: number): void {
    const { logger } = this.parts;
    if (open > before) {
      const entries = this.book.open();
      const last = entries.findLast(({ letters }) => letters.some((one) => one.topic === topic));
      const { group, reason } = last?.letters.find((one) => one.topic === topic) ?? {};
      logger.error(
        { topic, open, id: last?.id, group, reason },
        'records are set aside: what they say is missing until they are replayed or dropped',
      );
    } else if (open === 0 && before > 0) {
      logger.info({ topic }, 'no record is set aside any more');
    }
  }

  private forget(): void {
    for (const topic of this.told.keys()) this.gauge.remove({ topic });
    this.told.clear();
  }
}
