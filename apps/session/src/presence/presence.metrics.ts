import type { Metrics } from '@tidings/common/runtime/metrics';

/** Session's figures of presence; counted per batch. */
export class PresencePushMetrics {
  private readonly changes;
  private readonly entries;
  private readonly retries;
  private readonly seconds;

  constructor(metrics: Metrics) {
    this.changes = metrics.counter(
      'presence_changes_total',
      'Changes of presence, by what became of them',
      ['outcome'],
    );
    this.entries = metrics.counter(
      'presence_entries_total',
      'Inbox entries about presence, by what became of them',
      ['outcome'],
    );
    this.retries = metrics.counter('presence_retries_total', 'Batches about presence put off');
    this.seconds = metrics.histogram(
      'presence_latency_seconds',
      'From the record of a change to the inboxes',
    );
  }

  routed(batch: {
    changes: number;
    unwatched: number;
    skipped: number;
    told: number;
    gone: number;
    full: number;
    latencyMs: number;
  }): void {
    this.changes.inc({ outcome: 'told' }, batch.changes - batch.unwatched);
    this.changes.inc({ outcome: 'unwatched' }, batch.unwatched);
    this.changes.inc({ outcome: 'skipped' }, batch.skipped);
    this.entries.inc({ outcome: 'ok' }, batch.told);
    this.entries.inc({ outcome: 'gone' }, batch.gone);
    this.entries.inc({ outcome: 'full' }, batch.full);
    this.seconds.observe(batch.latencyMs / 1_000);
  }

  putOff(): void {
    this.retries.inc();
  }
}
