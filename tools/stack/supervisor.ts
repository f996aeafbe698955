import { setTimeout as delay } from 'node:timers/promises';
import type { Exit } from './child';
import type { Log } from './download';
import type { ManagedProcess } from './managed-process';

const RESTART_DELAY_MS = 1000;

/** How a supervisor reacts. */
export interface SupervisorOptions {
  log: Log;
  /** start what ended again, after 1 s, as often as needed */
  restart: boolean;
  /** told when a process is back (with a new process id) */
  onRestarted?: () => void;
}

/** Reports processes that end unasked and, when told so, brings them back. */
export class Supervisor {
  private stopped = false;

  constructor(private readonly options: SupervisorOptions) {}

  /** Takes the end of a process. */
  readonly ended = (process: ManagedProcess, exit: Exit): void => {
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

  private async bringBack(process: ManagedProcess): Promise<void> {
    while (!this.stopped && !process.isAlive()) {
      await delay(RESTART_DELAY_MS);
      if (this.stopped || process.isAlive()) return;
      try {
        await process.start();
        this.options.log(`${process.name} is back`);
        this.options.onRestarted?.();
      } catch (error) {
        if (this.stopped) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.options.log(`${process.name} did not come back: ${reason}`);
      }
    }
  }
}
