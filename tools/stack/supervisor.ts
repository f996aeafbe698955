import { setTimeout as delay } from 'node:timers/promises';
import type { Exit } from './child';
import type { Log } from './download';
import type { ManagedProcess } from './managed-process';

/**
 * A process that ended this long after its start was begun is started again at once, in milliseconds. What
 * it took to become ready counts: on a busy machine that is seconds, and no sign of a crash.
 */
const STEADY_MS = 5_000;
/** Pause before the next start of one that keeps ending: doubles from the first to the last, in milliseconds. */
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 10_000;

/** How a supervisor reacts. */
export interface SupervisorOptions {
  log: Log;
  /** start what ended again, as often as needed */
  restart: boolean;
  /** told when a process is back (with a new process id) */
  onRestarted?: () => void;
  /** milliseconds of a monotonic clock */
  now?: () => number;
  /** waits so many milliseconds */
  pause?: (ms: number) => Promise<unknown>;
}

/** What a supervisor needs of a process. */
export type Supervised = Pick<ManagedProcess, 'name' | 'pid' | 'logPath' | 'isAlive' | 'start'>;

/**
 * Reports processes that end unasked and, when told so, brings them back: at once after a single
 * crash, because people wait; with growing pauses while it happens again and again.
 */
export class Supervisor {
  private stopped = false;
  /** By process: crashes in a row, and when its last start was begun. */
  private readonly records = new Map<Supervised, { crashes: number; beganAt: number }>();
  private readonly now: () => number;
  private readonly pause: (ms: number) => Promise<unknown>;

  constructor(private readonly options: SupervisorOptions) {
    this.now = options.now ?? (() => performance.now());
    this.pause = options.pause ?? ((ms) => delay(ms));
  }

  /** Takes the end of a process. */
  readonly ended = (process: Supervised, exit: Exit): void => {
    if (this.stopped) return;
    const how = exit.signal ?? `exit code ${exit.code}`;
    const then = this.options.restart ? '; it is started again' : '';
    this.options.log(`${process.name} ended unexpectedly (${how})${then}. Log: ${process.logPath}`);
    if (this.options.restart) void this.bringBack(process);
  };

  /** From now on an end is nobody's business. */
  stop(): void {
    this.stopped = true;
  }

  private async bringBack(process: Supervised): Promise<void> {
    const record = this.records.get(process) ?? { crashes: 0, beganAt: -Infinity };
    this.records.set(process, record);
    const steady = this.now() - record.beganAt >= STEADY_MS;
    record.crashes = steady ? 0 : record.crashes + 1;
    while (!this.stopped && !process.isAlive()) {
      if (record.crashes > 0) await this.pause(pauseAfter(record.crashes));
      if (this.stopped || process.isAlive()) return;
      record.beganAt = this.now();
      try {
        await process.start();
        this.options.log(`${process.name} is back  pid ${process.pid}`);
        this.options.onRestarted?.();
      } catch (error) {
        record.crashes++;
        if (this.stopped) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.options.log(`${process.name} did not come back: ${reason}`);
      }
    }
  }
}

/** Milliseconds to wait after the nth crash in a row. */
export function pauseAfter(crashes: number): number {
  return Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(crashes - 1, 10));
}
