import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Counter, Gauge } from 'prom-client';

/** The presence service's figures; counted per batch and per call. */
export class PresenceMetrics {
  private readonly records: Counter<'kind'>;
  private readonly users: Counter;
  private readonly changes: Counter<'status'>;
  private readonly conflicts: Counter;
  private readonly dues: Counter;
  private readonly lost: Counter;
  private readonly reapedBoots: Counter;
  private readonly reapedUsers: Counter;
  private readonly reapFailures: Counter;
  private readonly clocks: Counter;
  private readonly retries: Counter;
  private readonly calls: Counter<'result'>;
  private readonly lag: Gauge<'partition'>;

  constructor(metrics: Metrics) {
    this.records = metrics.counter('presence_records_total', 'Records read, by what they were', [
      'kind',
    ]);
    this.users = metrics.counter('presence_users_total', 'Users written because of records');
    this.changes = metrics.counter('presence_changes_total', 'Changes told to others, by status', [
      'status',
    ]);
    this.conflicts = metrics.counter(
      'presence_conflicts_total',
      'Users who were written by somebody else meanwhile',
    );
    this.dues = metrics.counter('presence_due_total', 'Users judged because of the time alone');
    this.lost = metrics.counter('presence_lost_users_total', 'Users of gateways that are gone');
    this.reapedBoots = metrics.counter(
      'presence_reaped_boots_total',
      'Boots of dead gateways whose routes and inbox were deleted',
    );
    this.reapedUsers = metrics.counter(
      'presence_reaped_users_total',
      'Users whose routes named such a boot',
    );
    this.reapFailures = metrics.counter(
      'presence_reap_failures_total',
      'Looks that could not end what a dead gateway left, since Redis or the log was away; the next one tries again',
    );
    this.clocks = metrics.counter('presence_raised_total', 'Users whose clocks were kept');
    this.retries = metrics.counter('presence_retries_total', 'Batches put off');
    this.calls = metrics.counter('presence_calls_total', 'Calls of gateways answered, by result', [
      'result',
    ]);
    this.lag = metrics.gauge('presence_lag_records', 'Records behind the last batch', {
      labelNames: ['partition'],
    });
  }

  /** A batch was taken in. */
  tracked(batch: {
    counts: Readonly<Record<string, number>>;
    bad: number;
    users: number;
    partition: number;
    lag: bigint;
  }): void {
    for (const [kind, count] of Object.entries(batch.counts)) this.records.inc({ kind }, count);
    this.records.inc({ kind: 'bad' }, batch.bad);
    this.users.inc(batch.users);
    this.lag.set({ partition: String(batch.partition) }, Number(batch.lag));
  }

  /** Changes are in their log. */
  told(statuses: readonly string[]): void {
    for (const status of statuses) this.changes.inc({ status });
  }

  conflict(users: number): void {
    this.conflicts.inc(users);
  }

  due(users: number): void {
    this.dues.inc(users);
  }

  /** Users are awaited whose gateway is gone. */
  lostUsers(users: number): void {
    this.lost.inc(users);
  }

  /** What a dead gateway left is deleted. */
  reaped(users: number): void {
    this.reapedBoots.inc();
    this.reapedUsers.inc(users);
  }

  /** What a dead gateway left stays for now. */
  reapFailed(): void {
    this.reapFailures.inc();
  }

  /** Clocks are in the database. */
  raised(users: number): void {
    this.clocks.inc(users);
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
