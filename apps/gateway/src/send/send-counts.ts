import type { ErrorCode } from '@tidings/protocol/errors';
import type { Metrics } from '@tidings/common/runtime/metrics';

/** Counts sends; accepted ones as a plain number that is handed to the metrics now and then. */
export class SendCounts {
  accepted = 0;
  private readonly acceptedTotal;
  private readonly refusedTotal;

  constructor(metrics: Metrics) {
    this.acceptedTotal = metrics.counter('sends_accepted_total', 'Sends answered with a position');
    this.refusedTotal = metrics.counter(
      'sends_refused_total',
      'Sends and changes refused, by code',
      ['code'],
    );
  }

  refused(code: ErrorCode): void {
    this.refusedTotal.inc({ code });
  }

  /** Hands the plain counts over; to be called every second. */
  flush(): void {
    this.acceptedTotal.inc(this.accepted);
    this.accepted = 0;
  }
}
