import type { Logger } from './logger';
import type { Metrics } from './metrics';

/**
 * Where the time of a start goes: when each step was done, counted from the beginning of the
 * process, so that loading the program is included. Shown as the metric `start_step_seconds` and,
 * when the start is complete, as one log line in milliseconds.
 */
export class StartTimeline {
  private readonly steps = new Map<string, number>();
  private readonly gauge;
  private told = false;

  /** `last`: the steps that complete the start, whichever comes last. */
  constructor(
    metrics: Metrics,
    private readonly logger: Logger,
    private readonly last: readonly string[],
  ) {
    this.gauge = metrics.gauge(
      'start_step_seconds',
      'From the beginning of the process to the end of a step of its start',
      { labelNames: ['step'] },
    );
  }

  /** A step is done. Only the first time counts: a later rebalance is not part of the start. */
  done(step: string): void {
    if (this.told || this.steps.has(step)) return;
    const ms = Math.round(performance.now());
    this.steps.set(step, ms);
    this.gauge.set({ step }, ms / 1000);
    if (!this.last.every((one) => this.steps.has(one))) return;
    this.told = true;
    const { user, system } = process.cpuUsage();
    this.logger.info(
      { stepsMs: Object.fromEntries(this.steps), cpuMs: Math.round((user + system) / 1000) },
      'started',
    );
  }
}
