import type { Logger } from './logger';
import type { StartTimeline } from './start-timeline';
import { within } from './waiting';

/**
 * One part of a service, in start order. The parts' `stop` runs in reverse order, bounded in time.
 */
export interface Step {
  name: string;
  start?: () => Promise<void> | void;
  stop?: () => Promise<void> | void;
  /** How long `stop` may take, in milliseconds. */
  stopWithinMs?: number;
}

const STOP_WITHIN_MS = 5_000;

/** Starts the parts of a process in order and stops them in reverse, each within its time. */
export class Lifecycle {
  private readonly running: Step[] = [];
  private stopping: Promise<void> | null = null;

  constructor(
    private readonly logger: Logger,
    private readonly timeline?: Pick<StartTimeline, 'done'>,
  ) {}

  /**
   * Runs each step's `start`. If one fails, those before it are stopped and its error is thrown; what
   * fails because of a stop is part of that.
   */
  async start(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (this.stopping) return;
      this.running.push(step);
      try {
        await step.start?.();
        this.timeline?.done(step.name);
      } catch (error) {
        if (this.stopping) return this.stopping;
        this.logger.error({ err: error, step: step.name }, 'start failed');
        await this.stop();
        throw error;
      }
    }
  }

  /** Stops what is running, last first. Calling it again waits for the same stop. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    for (const step of this.running.reverse()) {
      if (!step.stop) continue;
      try {
        await within(Promise.resolve(step.stop()), step.stopWithinMs ?? STOP_WITHIN_MS);
      } catch (error) {
        this.logger.warn({ err: error, step: step.name }, 'stop failed');
      }
    }
  }
}
