import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import { applyOneByOne, valuesOf } from '@tidings/common/runtime/one-by-one';
import { readConnections } from './connection-reader';
import { mergeConnections } from './domain/clocks';
import type { LastSeenRepository } from './last-seen.repository';
import type { PresenceMetrics } from './presence.metrics';
import { backoffCeiling, within } from '@tidings/common/runtime/waiting';

/** Longest time that one batch may take, in milliseconds. */
const BATCH_MS = 2_000;
/** First and longest pause before a batch is tried again, in milliseconds. */
const RETRY = { baseMs: 200, maxMs: 5_000 };

/** What the tracker needs of the rest of the process. */
export interface TrackerParts {
  repository: Pick<LastSeenRepository, 'raise'>;
  deadLetters: { put(record: LogRecord, reason: string): Promise<void> };
  metrics: PresenceMetrics;
  defects: Pick<Defects, 'note'>;
  logger: Logger;
  now: () => number;
}

/**
 * Keeps `last_seen` from the connections that open and close. A batch is one statement; it is done
 * when the statement is committed, and repeating it changes nothing.
 */
export class Tracker {
  private readonly failures = new Map<number, number>();

  constructor(private readonly parts: TrackerParts) {}

  /** Takes in one batch. Never throws: what fails is tried again, never skipped. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    const { partition } = batch;
    try {
      await within(this.track(batch), BATCH_MS);
      this.failures.delete(partition);
      return { done: true };
    } catch (error) {
      const failures = this.failures.get(partition) ?? 0;
      this.failures.set(partition, failures + 1);
      this.parts.metrics.putOff();
      if (failures === 0) this.parts.logger.warn({ err: error, partition }, 'put off');
      return { retryAfterMs: backoffCeiling(RETRY, failures) };
    }
  }

  /** Forgets a partition. */
  revoked(partition: number): void {
    this.failures.delete(partition);
    this.parts.metrics.revoked(partition);
  }

  private async track(batch: LogBatch): Promise<void> {
    const { repository, deadLetters, metrics, defects, logger, now } = this.parts;
    const { partition, lag } = batch;
    const { events, bad, foreign } = readConnections(batch.records);
    for (const { record, reason } of bad) {
      logger.error({ partition, offset: String(record.offset), reason }, 'dead letter');
      await deadLetters.put(record, reason);
    }
    let users = 0;
    await applyOneByOne(
      events,
      async (some) => {
        const clocks = valuesOf(() => mergeConnections(some, now()));
        await repository.raise(clocks);
        users += clocks.length;
      },
      // the next connection tells it anew
      ({ event }, error) => defects.note('record', error, { userId: event.userId }),
    );
    metrics.tracked({
      events: events.length,
      foreign,
      bad: bad.length,
      users,
      partition,
      lag,
    });
  }
}
