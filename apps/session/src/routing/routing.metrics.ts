import type { AppendResult } from '@tidings/common/redis/inbox';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Counter, Gauge, Histogram } from 'prom-client';
import type { DraftCounts } from '../domain/draft';

/** Why a batch was put off. */
export type RetryReason = 'members' | 'redis' | 'dead_letter' | 'late' | 'error';

/** Routing's figures; everything is counted per batch. */
export class RoutingMetrics {
  private readonly records: Counter<'kind'>;
  private readonly pushes: Counter;
  private readonly pending: Counter;
  private readonly previousUnknown: Counter;
  private readonly asked: Counter;
  private readonly askFailures: Counter;
  private readonly appends: Counter<'result'>;
  private readonly retries: Counter<'reason'>;
  private readonly taken: Counter;
  private readonly lag: Gauge<'partition'>;
  private readonly latency: Histogram;
  private readonly batches: Histogram;

  constructor(metrics: Metrics) {
    this.records = metrics.counter('routing_records_total', 'Records read, by what they were', [
      'kind',
    ]);
    this.pushes = metrics.counter('routing_pushes_total', 'Frames handed to inboxes, per device');
    this.pending = metrics.counter(
      'routing_pending_total',
      'Senders told that the receiver is not connected',
    );
    this.previousUnknown = metrics.counter(
      'routing_previous_unknown_total',
      'Records pushed without the position of the preceding one',
    );
    this.asked = metrics.counter('routing_asked_total', 'Conversations asked of storage');
    this.askFailures = metrics.counter(
      'routing_ask_failures_total',
      'Look-ups of conversations that failed',
    );
    this.appends = metrics.counter('routing_appends_total', 'Inbox entries, by result', ['result']);
    this.retries = metrics.counter('routing_retries_total', 'Batches put off', ['reason']);
    this.taken = metrics.counter(
      'routing_copied_total',
      'Records that were not read again after an assignment, because Redis had copies of their ids',
    );
    this.lag = metrics.gauge('routing_lag_records', 'Records behind the last batch', {
      labelNames: ['partition'],
    });
    this.latency = metrics.histogram(
      'routing_latency_seconds',
      "From the broker's record time to the inbox, oldest record of each batch",
    );
    this.batches = metrics.histogram('routing_batch_seconds', 'Time to route one batch');
  }

  /** A batch was routed. */
  routed(batch: {
    counts: DraftCounts;
    foreign: number;
    bad: number;
    partition: number;
    lag: bigint;
    latencyMs: number | null;
    durationMs: number;
  }): void {
    const { counts } = batch;
    this.count('live', counts.live);
    this.count('duplicate', counts.duplicates);
    this.count('unknown_conversation', counts.conversationUnknown);
    this.count('foreign', batch.foreign);
    this.count('bad', batch.bad);
    if (counts.previousUnknown > 0) this.previousUnknown.inc(counts.previousUnknown);
    this.lag.set({ partition: String(batch.partition) }, Number(batch.lag));
    if (batch.latencyMs !== null) this.latency.observe(batch.latencyMs / 1000);
    this.batches.observe(batch.durationMs / 1000);
  }

  /** Entries were appended; `pushes` counts the devices in those that were taken. */
  appended(results: readonly AppendResult[], pushes: number): void {
    for (const result of results) this.appends.inc({ result });
    if (pushes > 0) this.pushes.inc(pushes);
  }

  /** Senders were told that their receiver is not connected. */
  pendingSent(count: number): void {
    if (count > 0) this.pending.inc(count);
  }

  /** Conversations were asked of storage in one call. */
  askedStorage(conversations: number): void {
    this.asked.inc(conversations);
  }

  /** A look-up failed. */
  askFailed(): void {
    this.askFailures.inc();
  }

  /** A batch will be tried again. */
  putOff(reason: RetryReason): void {
    this.retries.inc({ reason });
  }

  /** A window was begun with so many copies. */
  copied(count: number): void {
    if (count > 0) this.taken.inc(count);
  }

  /** A partition is no longer ours. */
  revoked(partition: number): void {
    this.lag.remove({ partition: String(partition) });
  }

  private count(kind: string, n: number): void {
    if (n > 0) this.records.inc({ kind }, n);
  }
}
