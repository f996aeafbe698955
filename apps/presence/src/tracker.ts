import type {
  AssignmentContext,
  HandleOutcome,
  LogBatch,
} from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import {
  NoKeeper,
  type PartitionClaim,
  type PresencePartitions,
} from '@tidings/common/redis/presence-partitions';
import type { Logger } from '@tidings/common/runtime/logger';
import { backoffCeiling, within } from '@tidings/common/runtime/waiting';
import { SETTLES_MS, type Patience } from './domain/patience';
import { readPresenceEvents } from './event-reader';
import type { PresenceMetrics } from './presence.metrics';
import { Turns } from './turns';
import type { UserWork, UserWriter } from './user-writer';

/** Longest time that one batch may take, in milliseconds. */
const BATCH_MS = 2_000;
/** First and longest pause before a batch is tried again, in milliseconds. */
const RETRY = { baseMs: 200, maxMs: 5_000 };
/** Users whose time has come that are judged together. */
const DUE_AT_ONCE = 200;
/** While the log is being read, what time alone says waits for so long, milliseconds. */
const READ_FIRST_MS = 1_000;

/** What the tracker needs of the rest of the process. */
export interface TrackerParts {
  partitions: Pick<
    PresencePartitions,
    'claim' | 'claimDoubtful' | 'wholeSince' | 'due' | 'untold' | 'nowMs'
  >;
  users: Pick<UserWriter, 'write'>;
  deadLetters: { put(record: LogRecord, reason: string): Promise<void> };
  /** Whether this process is the group's word for a partition at this moment. */
  owns(partition: number): boolean;
  metrics: PresenceMetrics;
  logger: Logger;
}

/** A partition whose users' presence this process keeps. */
export interface KeptPartition {
  readonly partition: number;
  claim: PartitionClaim;
  /** Since when this process may have missed what is not in the log, ms of Redis' clock. */
  heardSinceMs: number;
  /** The log's end when the partition came. */
  readonly goal: bigint;
  next: bigint;
  /** More records lie behind the last batch. */
  behind: boolean;
  failures: number;
  readonly turns: Turns;
}

/**
 * Keeps the presence of users from what the log tells and from what time alone says, partition by
 * partition and one step after the other. A batch is done when all of it is stored; repeating it
 * changes nothing.
 */
export class Tracker {
  private readonly kept = new Map<number, KeptPartition>();
  /** When this process first saw Redis, ms of its clock. */
  private bornAtMs: number | null = null;

  constructor(private readonly parts: TrackerParts) {}

  /** The partitions that are kept here. */
  all(): KeptPartition[] {
    return [...this.kept.values()];
  }

  /** Begins a partition. Throws `RedisUnavailable`. */
  async assigned(partition: number, context: AssignmentContext): Promise<void> {
    const { committed, low, high } = context;
    const claim = await this.parts.partitions.claim(partition, committed === null);
    this.bornAtMs ??= await this.parts.partitions.nowMs();
    this.kept.set(partition, {
      partition,
      claim,
      heardSinceMs: this.bornAtMs,
      goal: high,
      next: committed !== null && committed > low ? committed : low,
      behind: false,
      failures: 0,
      turns: new Turns(),
    });
  }

  /** Ends a partition. */
  revoked(partition: number): void {
    this.kept.delete(partition);
    this.parts.metrics.revoked(partition);
  }

  /** Takes in one batch. Never throws: what fails is tried again, never skipped. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    const { partition } = batch;
    const kept = this.kept.get(partition);
    if (!kept) return { retryAfterMs: RETRY.baseMs };
    try {
      await within(
        kept.turns.take(() => this.track(kept, batch)),
        BATCH_MS,
      );
      kept.failures = 0;
      return { done: true };
    } catch (error) {
      this.parts.metrics.putOff();
      if (kept.failures++ === 0) this.parts.logger.warn({ err: error, partition }, 'put off');
      if (error instanceof NoKeeper) await this.emptied(kept);
      return { retryAfterMs: backoffCeiling(RETRY, kept.failures - 1) };
    }
  }

  /** Does what is due by now. Never throws; without Redis nothing is due. */
  async tick(): Promise<void> {
    const all = this.all();
    if (all.length === 0) return;
    try {
      const numbers = all.map(({ partition }) => partition);
      const since = await this.parts.partitions.wholeSince(numbers);
      await Promise.all(all.map((kept, i) => this.tickOne(kept, since[i] ?? null)));
    } catch (error) {
      this.parts.logger.debug({ err: error }, 'what is due waits');
    }
  }

  /** Redis started anew: what was written last may be lost. Never throws. */
  async redisRestarted(): Promise<void> {
    for (const kept of this.all()) {
      await this.parts.partitions.claimDoubtful(kept.partition).then(
        (claim) => (kept.claim = claim),
        (error: unknown) => this.parts.logger.debug({ err: error }, 'not claimed anew'),
      );
    }
  }

  /** What time may say of this partition's users now; null: nothing, the log comes first. */
  patience(kept: KeptPartition, nowMs: number): Patience {
    const { claim, heardSinceMs, goal, next, behind } = kept;
    const offlineFromMs = claim.sinceMs + SETTLES_MS;
    const readFirst = behind || next < goal ? nowMs + READ_FIRST_MS : 0;
    const lossesFromMs = Math.max(offlineFromMs, heardSinceMs + SETTLES_MS, readFirst);
    return { offlineFromMs, lossesFromMs };
  }

  /** Writes users of a partition when it is their turn, unless the partition has gone meanwhile. */
  async write(kept: KeptPartition, work: ReadonlyMap<string, UserWork>): Promise<void> {
    await kept.turns.take(async () => {
      if (this.kept.get(kept.partition) !== kept) return;
      await this.writeNow(kept, work);
    });
  }

  private writeNow(kept: KeptPartition, work: ReadonlyMap<string, UserWork>): Promise<void> {
    const { partition, claim } = kept;
    return this.parts.users.write(partition, claim.term, work, (nowMs) =>
      this.patience(kept, nowMs),
    );
  }

  private async track(kept: KeptPartition, batch: LogBatch): Promise<void> {
    const { deadLetters, metrics, logger } = this.parts;
    const { partition, lag, nextOffset } = batch;
    if (this.kept.get(partition) !== kept) return;
    const { events, bad, counts } = readPresenceEvents(batch.records);
    for (const { record, reason } of bad) {
      logger.error({ partition, offset: String(record.offset), reason }, 'dead letter');
      await deadLetters.put(record, reason);
    }
    const work = new Map<string, UserWork>();
    for (const event of events) {
      const { userId } = event.event;
      const known = work.get(userId);
      if (known) known.events!.push(event);
      else work.set(userId, { events: [event] });
    }
    kept.behind = lag > 0n;
    await this.writeNow(kept, work);
    kept.next = nextOffset;
    metrics.tracked({ counts, bad: bad.length, users: work.size, partition, lag });
  }

  private async tickOne(kept: KeptPartition, sinceMs: number | null): Promise<void> {
    if (sinceMs === null) return this.emptied(kept);
    if (!this.parts.owns(kept.partition)) {
      // who is back may not be in the log yet
      kept.heardSinceMs = await this.parts.partitions.nowMs();
      return;
    }
    if (kept.turns.busy) return;
    await kept.turns.take(async () => {
      if (this.kept.get(kept.partition) !== kept) return;
      const nowMs = await this.parts.partitions.nowMs();
      const [due, untold] = await Promise.all([
        this.parts.partitions.due(kept.partition, nowMs, DUE_AT_ONCE),
        this.parts.partitions.untold(kept.partition, DUE_AT_ONCE),
      ]);
      const work = new Map<string, UserWork>(due.map((userId) => [userId, {}]));
      for (const userId of untold) work.set(userId, { untold: true });
      if (work.size === 0) return;
      await this.writeNow(kept, work);
      this.parts.metrics.due(due.length);
    });
  }

  /** Redis has lost all that it knew: gateways tell it anew. */
  private async emptied(kept: KeptPartition): Promise<void> {
    const { partitions, logger } = this.parts;
    const { partition } = kept;
    try {
      kept.claim = await partitions.claim(partition, false);
      logger.warn({ partition }, 'Redis has nothing of this partition: gateways tell it anew');
    } catch (error) {
      logger.debug({ err: error, partition }, 'not claimed anew');
    }
  }
}
