import type { Metrics } from '@tidings/common/runtime/metrics';

/** Session's figures of receipts; counted per batch. */
export class ReceiptPushMetrics {
  private readonly members;
  private readonly pushes;
  private readonly retries;
  private readonly failures;
  private readonly latency;

  constructor(metrics: Metrics) {
    this.members = metrics.counter('session_receipts_total', 'Members’ marks, by outcome', [
      'outcome',
    ]);
    this.pushes = metrics.counter(
      'session_receipt_pushes_total',
      'Frames of receipts handed to inboxes, per device',
    );
    this.retries = metrics.counter('session_receipt_retries_total', 'Batches of receipts put off');
    this.failures = metrics.counter(
      'session_receipt_ask_failures_total',
      'Look-ups for receipts that failed',
    );
    this.latency = metrics.histogram(
      'session_receipt_seconds',
      'From the record to the inbox, oldest record of each batch',
    );
  }

  /** A batch was handed on. `untold`: nobody is to be told; `old`: nothing new. */
  routed(batch: {
    told: number;
    old: number;
    untold: number;
    pushes: number;
    latencyMs: number;
  }): void {
    for (const outcome of ['told', 'old', 'untold'] as const) {
      if (batch[outcome] > 0) this.members.inc({ outcome }, batch[outcome]);
    }
    if (batch.pushes > 0) this.pushes.inc(batch.pushes);
    this.latency.observe(Math.max(0, batch.latencyMs) / 1000);
  }

  putOff(): void {
    this.retries.inc();
  }

  askFailed(): void {
    this.failures.inc();
  }
}
