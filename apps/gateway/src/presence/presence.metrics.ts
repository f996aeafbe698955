import type { Metrics } from '@tidings/common/runtime/metrics';

/** Why a frame about presence came to nothing, or to something later. */
export type PassedOver = 'rate' | 'busy';

/** The gateway's figures of presence. */
export class PresenceFrameMetrics {
  private readonly over;
  private readonly pushes;
  private readonly failedLooks;

  constructor(metrics: Metrics) {
    this.over = metrics.counter(
      'presence_frames_put_off_total',
      'Frames about presence that came too soon or found no place',
      ['why'],
    );
    this.pushes = metrics.counter('presence_pushed_total', 'Frames that told of a presence');
    this.failedLooks = metrics.counter(
      'presence_looks_failed_total',
      'Looks at watched users that were put off',
    );
  }

  /** A watcher was told. */
  pushed(): void {
    this.pushes.inc();
  }

  /** Watched users could not be looked at now. */
  lookFailed(): void {
    this.failedLooks.inc();
  }

  passedOver(why: PassedOver): void {
    this.over.inc({ why });
  }
}
