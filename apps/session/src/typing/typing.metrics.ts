import type { Metrics } from '@tidings/common/runtime/metrics';

/** What became of signals. `untold`: nobody is to be told; `failed`: Redis is away. */
export type TypingOutcome = 'told' | 'untold' | 'stale' | 'skipped' | 'failed';

/** Session's figures of typing; counted per batch. */
export class TypingPushMetrics {
  private readonly signals;
  private readonly pushes;
  private readonly latency;
  private readonly gaps;

  constructor(metrics: Metrics) {
    this.signals = metrics.counter('session_typing_total', 'Signals of typing, by outcome', [
      'outcome',
    ]);
    this.pushes = metrics.counter(
      'session_typing_pushes_total',
      'Frames of typing handed to inboxes, per device',
    );
    this.gaps = metrics.counter(
      'session_typing_gaps_total',
      'Stretches of signals that nobody read in time',
    );
    this.latency = metrics.histogram(
      'session_typing_seconds',
      'From the record to the inbox, oldest record of each batch',
    );
  }

  count(outcome: TypingOutcome, signals: number): void {
    if (signals > 0) this.signals.inc({ outcome }, signals);
  }

  /** Frames were handed on, `latencyMs` after the oldest record was written. */
  pushed(pushes: number, latencyMs: number): void {
    if (pushes > 0) this.pushes.inc(pushes);
    this.latency.observe(Math.max(0, latencyMs) / 1000);
  }

  /** Records were gone before they were read: nothing is missed by that. */
  gap(): void {
    this.gaps.inc();
  }
}
