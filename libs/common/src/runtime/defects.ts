import type { Logger } from './logger';
import type { Metrics } from './metrics';
import { countRepeats } from './repeats';

/**
 * What was being handled: a client's `frame` or another event of its socket, the `upgrade` to a
 * socket, an HTTP `request`, a record for the log or its `answer`, an `entry` of the inbox, a
 * `record` of the log. `listener`: a connection that could not be accepted.
 */
export type DefectPlace =
  'frame' | 'upgrade' | 'request' | 'answer' | 'entry' | 'record' | 'listener';

/** The place of a record in the log. */
interface RecordPlace {
  topic: string;
  partition: number;
  offset: bigint;
}

/**
 * How many records with a defect are remembered: a batch that waits for something is handled
 * repeatedly.
 */
const REMEMBERED_RECORDS = 1_000;

/**
 * Notes what was thrown while one input was handled. No rule foresees that: the input has found a
 * defect of ours. So this one input is set aside and everything else goes on (decision 0021). Every
 * defect is counted; the same one is logged once in a while, with the number of omitted ones.
 */
export class Defects {
  private readonly counter;
  private readonly repeats;
  private readonly records = new Set<string>();

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

  /** Counts a record once, however often its batch is handled. Never throws. */
  noteRecord(record: RecordPlace, error: unknown): void {
    const { topic, partition, offset } = record;
    const name = `${topic}/${partition}/${offset}`;
    if (this.records.has(name)) return;
    if (this.records.size >= REMEMBERED_RECORDS) this.records.clear();
    this.records.add(name);
    this.note('record', error, { topic, partition, offset: String(offset) });
  }

  /** Counts one and perhaps logs it. `about`: ids, no contents. Never throws. */
  note(place: DefectPlace, error: unknown, about: Record<string, unknown> = {}): void {
    this.counter.inc({ place });
    const repeated = this.repeats(`${place} ${originOf(error)}`);
    if (repeated === null) return;
    const left = repeated > 0 ? { repeated } : {};
    this.logger.error({ err: error, place, ...about, ...left }, 'an input was set aside');
  }
}

/** Where an error was thrown. Not its message, which may contain what a client sent. */
function originOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frame = /^ {4}at .{1,300}/m.exec(error.stack ?? '')?.[0] ?? '';
  return error.name + frame;
}
