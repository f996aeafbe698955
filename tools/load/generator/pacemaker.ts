import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { BEAT_FLAG, STOP_FLAG } from './pacemaker-flags';
import type { PacemakerData } from './pacemaker-thread';

/** Beats finer than this cost more than they tell, when many messages are due in a millisecond. */
const BUSY_RATE = 2000;

/**
 * Calls back whenever a send is due, within about a tenth of a millisecond, without spinning: timers
 * of the event loop are a millisecond coarse, which is as long as a whole delivery takes, so a thread
 * of its own sleeps on a futex instead.
 */
export class Pacemaker {
  private readonly signal = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  private readonly worker: Worker;

  constructor(
    schedule: { atMs: Float64Array<SharedArrayBuffer>; startMs: number; ratePerSecond: number },
    beat: () => void,
    failed: (error: Error) => void,
  ) {
    const { atMs, startMs, ratePerSecond } = schedule;
    const grainMs = ratePerSecond > BUSY_RATE ? 0.5 : 0.1;
    const workerData: PacemakerData = { atMs, startMs, grainMs, signal: this.signal };
    this.worker = new Worker(join(__dirname, 'pacemaker-thread.js'), { workerData });
    this.worker.on('error', failed);
    this.worker.on('message', () => {
      Atomics.store(this.signal, BEAT_FLAG, 0);
      beat();
    });
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    Atomics.store(this.signal, STOP_FLAG, 1);
    Atomics.notify(this.signal, STOP_FLAG);
    await this.worker.terminate();
  }
}
