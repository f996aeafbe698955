import type {
  AssignmentContext,
  HandleOutcome,
  LogBatch,
} from '@tidings/common/kafka/consumer/log-handler';
import { RedisUnavailable } from '@tidings/common/redis/client';
import type { LogState } from '@tidings/common/rpc/log-state';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import { Draft, type SetAside } from '../domain/draft';
import { emptyState, type PartitionState } from '../domain/partition-state';
import { windowStart } from '../domain/window-start';
import type { ConversationSource } from './conversation-source';
import type { Deliveries } from './deliveries';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { readEntries, type BadRecord } from './entry-reader';
import type { RetryReason, RoutingMetrics } from './routing.metrics';
import type { RoutingTimes } from './routing-times';
import type { WindowKeeper } from './window-keeper';
import type { WindowOffsets } from './window-offsets';
import { backoffCeiling, within } from '@tidings/common/runtime/waiting';

/** Longest time that one batch may hold up its partition's fetch loop, in milliseconds. */
const BATCH_MS = 2_000;
/** First and longest pause before a batch is tried again, in milliseconds. */
const RETRY = { baseMs: 100, maxMs: 1_000 };
/** How long the state of a partition is kept after its assignment has ended, in milliseconds. */
const KEEP_MS = 30_000;

/** What routing needs of the rest of the process. */
export interface RouterParts {
  conversations: ConversationSource;
  deliveries: Deliveries;
  deadLetters: { put(record: BadRecord['record'], reason: string): Promise<void> };
  windows: Pick<WindowOffsets, 'of'>;
  keeper: Pick<WindowKeeper, 'fill' | 'note'>;
  times: Pick<RoutingTimes, 'note'>;
  metrics: RoutingMetrics;
  defects: Pick<Defects, 'noteRecord'>;
  logger: Logger;
  /** Told of each batch of which something was pushed. */
  pushed?(): void;
}

/** A batch can not be routed now; it is tried again. */
class PutOff extends Error {
  constructor(
    readonly reason: RetryReason,
    cause?: unknown,
  ) {
    super(`routing is put off: ${reason}`, { cause });
  }
}

interface Assigned {
  state: PartitionState;
  /** Batches that were put off in a row. */
  failures: number;
  /** Counts attempts: one that was given up for its time must not change the state any more. */
  attempt: number;
}

/**
 * Routes the conversation log, one partition's batches in order: reads, drops repeated ids, fills in
 * members and `previous`, and hands the frames to the inboxes of the gateways where the members'
 * devices are. A batch changes the partition's state only when all its frames were handed on; a
 * batch that could not be is tried again, never skipped.
 */
export class Router {
  private readonly partitions = new Map<number, Assigned>();
  /** States of assignments that have ended: most rebalances give a partition back at once. */
  private readonly kept = new Map<number, { state: PartitionState; timer: NodeJS.Timeout }>();
  private foreignLogged = false;

  constructor(
    private readonly log: LogState,
    private readonly parts: RouterParts,
  ) {}

  /**
   * Begins a partition: where its last assignment here has ended, when that was a moment ago, else with
   * an empty state, which its last owner's copies fill, and behind them the log.
   */
  async assigned(partition: number, context: AssignmentContext): Promise<{ seek: bigint }> {
    const state = this.resumed(partition, context) ?? (await this.emptyAt(partition, context));
    const { next, liveFrom } = state;
    this.partitions.set(partition, { state, failures: 0, attempt: 0 });
    this.parts.logger.info(
      { partition, start: String(next), liveFrom: String(liveFrom) },
      'partition assigned',
    );
    return { seek: next };
  }

  /**
   * The state that was kept. It knows all records below its `next`, whoever has routed them, so it is
   * as good as one that was read anew.
   */
  private resumed(partition: number, context: AssignmentContext): PartitionState | null {
    const state = this.takeKept(partition);
    if (!state || state.next < context.low || state.next > context.high) return null;
    const { committed } = context;
    const liveFrom = committed !== null && committed > state.next ? committed : state.next;
    return { ...state, liveFrom };
  }

  private takeKept(partition: number): PartitionState | null {
    const kept = this.kept.get(partition);
    if (!kept) return null;
    clearTimeout(kept.timer);
    this.kept.delete(partition);
    return kept.state;
  }

  private async emptyAt(partition: number, context: AssignmentContext): Promise<PartitionState> {
    const windowOffset = await this.parts.windows.of(partition);
    const { start, liveFrom } = windowStart({ ...context, windowOffset });
    const base = this.log.bases[partition];
    if (base === undefined) throw new RangeError(`partition ${partition} has no position base`);
    const state = emptyState({ partition, base, start, liveFrom });
    this.parts.metrics.copied(await this.parts.keeper.fill(state, context.high));
    return state;
  }

  /** Whether the windows of all partitions that were assigned so far are filled. */
  isCaughtUp(): boolean {
    return [...this.partitions.values()].every(({ state }) => state.next >= state.liveFrom);
  }

  /** Ends a partition; its state is kept for a moment. */
  revoked(partition: number): void {
    const assigned = this.partitions.get(partition);
    this.partitions.delete(partition);
    if (assigned) {
      // what is still under way must not change the state any more
      assigned.attempt++;
      this.takeKept(partition);
      const timer = setTimeout(() => this.kept.delete(partition), KEEP_MS).unref();
      this.kept.set(partition, { state: assigned.state, timer });
    }
    this.parts.metrics.revoked(partition);
  }

  /** Routes one batch. Never throws, and never takes much longer than {@link BATCH_MS}. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    const assigned = this.partitions.get(batch.partition);
    if (!assigned) return { retryAfterMs: RETRY.baseMs };
    try {
      await within(this.route(batch, assigned), BATCH_MS);
      assigned.failures = 0;
      return { done: true };
    } catch (error) {
      const reason = reasonOf(error);
      this.parts.metrics.putOff(reason);
      if (assigned.failures++ === 0) {
        this.parts.logger.warn({ err: error, partition: batch.partition, reason }, 'put off');
      }
      return { retryAfterMs: backoffCeiling(RETRY, assigned.failures - 1) };
    }
  }

  private async route(batch: LogBatch, assigned: Assigned): Promise<void> {
    const began = performance.now();
    const attempt = ++assigned.attempt;
    const { state } = assigned;
    const { epoch, bases } = this.log;
    const read = readEntries(batch.records, {
      epoch,
      base: state.base,
      partitionOf: (key) => partitionOf(key, bases.length),
    });
    if (read.foreign > 0) this.noteForeign(batch, read.foreign);
    const draft = new Draft(state);
    for (const entry of read.entries) draft.admit(entry);
    await this.complete(draft, state);
    const pushes = draft.route(Date.now());
    const { setAside } = draft;
    const delivery = await this.parts.deliveries.deliver(
      pushes,
      draft.conflicts,
      (entry, error) => void setAside.push({ entry, error }),
    );
    if (assigned.attempt !== attempt) return;
    const bad = read.bad.filter(({ record }) => record.offset >= state.liveFrom);
    await this.setAside([...bad, ...thrownOver(setAside, batch)]);
    if (assigned.attempt !== attempt) return;
    draft.commit(batch.nextOffset);
    this.parts.keeper.note(state);
    const { topic, partition } = batch;
    for (const { entry, error } of setAside) {
      this.parts.defects.noteRecord({ topic, partition, offset: entry.offset }, error);
    }
    this.noteTime(batch, state);
    if (pushes.length > 0) this.parts.pushed?.();
    const { metrics } = this.parts;
    metrics.appended(delivery.results, delivery.pushes);
    const oldest = pushes[0]?.entry.recordedAtMs;
    metrics.routed({
      counts: draft.counts,
      foreign: read.foreign,
      bad: bad.length,
      partition: batch.partition,
      lag: batch.lag,
      latencyMs: oldest === undefined ? null : Math.max(0, Date.now() - oldest),
      durationMs: performance.now() - began,
    });
  }

  private noteTime({ partition, firstOffset, nextOffset }: LogBatch, state: PartitionState): void {
    const { base, liveFrom } = state;
    if (nextOffset <= liveFrom) return;
    const from = base + (firstOffset > liveFrom ? firstOffset : liveFrom);
    this.parts.times.note(partition, { from, next: base + nextOffset });
  }

  private async complete(draft: Draft, state: PartitionState): Promise<void> {
    const missing = draft.missing();
    if (missing.length === 0) return;
    const answers = await this.parts.conversations.find(missing, state);
    for (const [conversationId, answer] of answers) draft.learn(conversationId, answer);
    if (draft.blocked()) throw new PutOff('members');
  }

  private async setAside(bad: readonly BadRecord[]): Promise<void> {
    for (const { record, reason } of bad) {
      const { partition, offset } = record;
      this.parts.logger.error({ partition, offset: String(offset), reason }, 'dead letter');
      try {
        await this.parts.deadLetters.put(record, reason);
      } catch (error) {
        throw new PutOff('dead_letter', error);
      }
    }
  }

  private noteForeign({ partition, firstOffset }: LogBatch, records: number): void {
    if (this.foreignLogged) return;
    this.foreignLogged = true;
    this.parts.logger.warn(
      { partition, firstOffset: String(firstOffset), records },
      'records of another epoch or an unknown type are not routed',
    );
  }
}

/** The records that a step threw over. */
function thrownOver(setAside: readonly SetAside[], { records }: LogBatch): BadRecord[] {
  const errors = new Map(setAside.map(({ entry, error }) => [entry.offset, error]));
  return records
    .filter(({ offset }) => errors.has(offset))
    .map((record) => {
      return { record, reason: `routing it threw: ${String(errors.get(record.offset))}` };
    });
}

function reasonOf(error: unknown): RetryReason {
  if (error instanceof PutOff) return error.reason;
  if (error instanceof RedisUnavailable) return 'redis';
  return error instanceof Error && error.message.startsWith('not done within') ? 'late' : 'error';
}
