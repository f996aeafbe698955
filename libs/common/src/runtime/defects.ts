import type { Logger } from './logger';
import type { Metrics } from './metrics';
import { countRepeats } from './repeats';

/**
 * What was being handled: a client's `frame`, the `upgrade` to a socket, an HTTP `request`, an `answer`
 * of the log to a send, a socket's `end`, an `entry` of the inbox, a `record` of the log.
 */
export type DefectPlace =
  'frame' | 'upgrade' | 'request' | 'answer' | 'end' | 'entry' | 'record' | 'socket' | 'listener';

/**
 * Notes what threw while one input was handled. No rule foresees that: it is a defect of ours which an
 * input has found, so that one input is set aside and everything else goes on (decision 0021). Each is
 * counted; the same one is logged once in a while, with the number of those left out.
 */
export class Defects {
  private readonly counter;
  private readonly repeats;

  constructor(
    private readonly logger: Pick<Logger, 'error'>,
    metrics: Metrics,
    now: () => number = Date.now,
  ) {
    this.counter = metrics.counter(
      'defects_total',
      'Inputs that were set aside because handling them threw, by place',
      ['place'],
    );
    this.repeats = countRepeats(now);
  }

  /** Counts and perhaps logs one. `about`: ids, no contents. Never throws. */
  note(place: DefectPlace, error: unknown, about: Record<string, unknown> = {}): void {
    this.counter.inc({ place });
    const repeated = this.repeats(`${place} ${originOf(error)}`);
    if (repeated === null) return;
    const left = repeated > 0 ? { repeated } : {};
    this.logger.error({ err: error, place, ...about, ...left }, 'an input was set aside');
  }
}

/** Where an error was thrown. Not its message, which may hold what a client sent. */
function originOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frame = /^ {4}at .{1,300}/m.exec(error.stack ?? '')?.[0] ?? '';
  return error.name + frame;
}
