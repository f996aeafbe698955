import type { Metrics } from '@tidings/common/runtime/metrics';

/**
 * Why something about typing went no further. `rate`: more than a connection may say; `refused`: no
 * member, or blocked; `busy`: too many members are being asked for; `unavailable`: nobody could tell;
 * `full`, `stalled`: the log takes nothing now; `shed`: this gateway has too much to do.
 */
export type TypingDrop =
  'rate' | 'refused' | 'busy' | 'unavailable' | 'full' | 'stalled' | 'stopped' | 'shed';

/** The gateway's figures of typing, the lane that is dropped first. */
export class TypingMetrics {
  private readonly accepted;
  private readonly dropped;

  constructor(metrics: Metrics) {
    this.accepted = metrics.counter(
      'typing_accepted_total',
      'Records of typing appended to the log',
    );
    this.dropped = metrics.counter('typing_dropped_total', 'Signals of typing that were given up', [
      'why',
    ]);
  }

  appended(): void {
    this.accepted.inc();
  }

  lost(why: TypingDrop, count = 1): void {
    this.dropped.inc({ why }, count);
  }
}
