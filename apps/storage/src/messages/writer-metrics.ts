import type { Metrics } from '@tidings/common/runtime/metrics';

/** What the batch writer counts; labels are bound once, counting is per batch. */
export class WriterMetrics {
  readonly stored;
  readonly statements;
  readonly duplicates;
  readonly otherEpoch;
  readonly unknownType;
  readonly deadLetters;
  readonly fenced;
  readonly retries;
  readonly seconds;

  constructor(metrics: Metrics) {
    const ignored = metrics.counter('storage_records_ignored_total', 'Records left out', ['why']);
    this.stored = metrics.counter('storage_records_stored_total', 'Entries inserted');
    this.statements = metrics.counter('storage_statements_total', 'Insert statements applied');
    this.duplicates = metrics.counter(
      'storage_duplicates_total',
      'Records whose id was in the history already',
    );
    this.otherEpoch = ignored.labels({ why: 'epoch' });
    this.unknownType = ignored.labels({ why: 'type' });
    this.deadLetters = metrics.counter(
      'storage_dead_letters_total',
      'Records that can never be applied',
    );
    this.fenced = metrics.counter(
      'storage_batches_fenced_total',
      'Batches that another instance had applied',
    );
    this.retries = metrics.counter('storage_batch_retries_total', 'Batches that failed and wait');
    this.seconds = metrics.histogram('storage_batch_seconds', 'Time of one insert statement');
  }
}

/** Lag per partition, as the batches tell it. */
export class LagMetrics {
  private readonly lag;
  private readonly children: { set(value: number): void }[] = [];

  constructor(metrics: Metrics) {
    this.lag = metrics.gauge('storage_lag_records', 'Records behind the last batch', {
      labelNames: ['partition'],
    });
  }

  /** Counts one batch. */
  seen(partition: number, lag: bigint): void {
    this.children[partition] ??= this.lag.labels({ partition: String(partition) });
    this.children[partition].set(Number(lag));
  }
}
