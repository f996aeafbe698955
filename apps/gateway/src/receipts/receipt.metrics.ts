import type { Metrics } from '@tidings/common/runtime/metrics';

/** Why marks did not get into the log; clients raise them again after their next sync. */
export type DropReason = 'full' | 'busy' | 'unavailable' | 'stopped';

/** The gateway's figures of receipts. */
export class ReceiptMetrics {
  private readonly accepted;
  private readonly dropped;
  private readonly seconds;

  constructor(metrics: Metrics) {
    this.accepted = metrics.counter(
      'receipts_accepted_total',
      'Records of receipts appended to the log',
    );
    this.dropped = metrics.counter('receipts_dropped_total', 'Marks that were given up', ['why']);
    this.seconds = metrics.histogram(
      'receipt_seconds',
      'From the oldest receipt of a record to the log',
    );
  }

  /** A record is in the log, `ms` after its oldest frame. */
  appended(ms: number): void {
    this.accepted.inc();
    this.seconds.observe(ms / 1000);
  }

  lost(why: DropReason): void {
    this.dropped.inc({ why });
  }
}
