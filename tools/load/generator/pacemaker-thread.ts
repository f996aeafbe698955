import { parentPort, workerData } from 'node:worker_threads';
import { monotonicMs } from '../clock';
import { BEAT_FLAG, STOP_FLAG } from './pacemaker-flags';

/** What the thread is started with. */
export interface PacemakerData {
  /** times of the sends, ms after `startMs` */
  atMs: Float64Array<SharedArrayBuffer>;
  startMs: number;
  /** two beats are at least this far apart */
  grainMs: number;
  /** flags, see `pacemaker-flags` */
  signal: Int32Array<SharedArrayBuffer>;
}

/** Sleeps until each send is due and posts a beat, unless one is still waiting to be handled. */
function run({ atMs, startMs, grainMs, signal }: PacemakerData): void {
  let next = 0;
  let beatAt = 0;
  while (next < atMs.length && Atomics.load(signal, STOP_FLAG) === 0) {
    const now = monotonicMs();
    const wait = Math.max(startMs + atMs[next]!, beatAt + grainMs) - now;
    if (wait > 0) {
      Atomics.wait(signal, STOP_FLAG, 0, wait);
      continue;
    }
    while (next < atMs.length && startMs + atMs[next]! <= now) next++;
    beatAt = now;
    if (Atomics.exchange(signal, BEAT_FLAG, 1) === 0) parentPort?.postMessage(null);
  }
}

run(workerData as PacemakerData);
