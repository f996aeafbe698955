import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Counter, Gauge } from 'prom-client';

/** The presence service's figures; counted per batch and per call. */
export class PresenceMetrics {
  private readonly records: Counter<'kind'>;
  private readonly users: Counter;
  private readonly retries: Counter;
  private readonly calls: Counter<'result'>;
  private readonly lag: Gauge<'partition'>;

  constructor(metrics: Metrics) {
    this.records = metrics.counter('presence_records_total', 'Records read, by what they were', [
      'kind',
    ]);
    this.users = metrics.counter('presence_raised_total', 'Users whose clocks were raised');
    this.retries = metrics.counter('presence_retries_total', 'Batches put off');
    this.calls = metrics.counter('presence_calls_total', 'Calls answered, by result', ['result']);
    this.lag = metrics.gauge('presence_lag_records', 'Records behind the last batch', {
      labelNames: ['partition'],
    });
  }

  /** A batch was taken in. */
  tracked(batch: {
    events: number;
    foreign: number;
    bad: number;
    users: number;
    partition: number;
    lag: bigint;
  }): void {
    this.records.inc({ kind: 'connection' }, batch.events);
    this.records.inc({ kind: 'foreign' }, batch.foreign);
    this.records.inc({ kind: 'bad' }, batch.bad);
    this.users.inc(batch.users);
    this.lag.set({ partition: String(batch.partition) }, Number(batch.lag));
  }

  /** A batch will be tried again. */
  putOff(): void {
    this.retries.inc();
  }

  /** A call for presence was answered. */
  answered(result: 'ok' | 'unavailable'): void {
    this.calls.inc({ result });
  }

  /** A partition is no longer ours. */
  revoked(partition: number): void {
    this.lag.remove({ partition: String(partition) });
  }
}
