import type { AppendResult, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { OutRecord } from '@tidings/common/log-events/record';

/** What became of one record of an attempt. */
export type Appended = { offset: bigint } | { reason: 'too_large' | 'unencodable' };

/** Records of a spool on their way to the log, in order. */
export class DrainAttempt {
  /** Settles when all records are answered, the attempt was given up, or the writer stopped. */
  readonly ended: Promise<void>;
  /** Answers of the first records, in order; fewer than the records when the attempt failed. */
  readonly answers: Appended[] = [];
  private readonly own: ReadonlySet<OutRecord>;
  private end!: () => void;
  private over = false;

  constructor(
    private readonly writer: Pick<LogWriter, 'append'>,
    private readonly records: readonly OutRecord[],
  ) {
    this.own = new Set(records);
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  /** All records are in the log, or never will be. */
  get complete(): boolean {
    return this.answers.length === this.records.length;
  }

  /** Queues the records. False: the writer does not take them all. */
  start(): boolean {
    if (this.complete) this.end();
    return this.records.every((record) =>
      this.writer.append(record, (result) => this.answered(result), { again: true }),
    );
  }

  /** Whether a record that the writer gives back is one of these. */
  owns(record: OutRecord): boolean {
    return this.own.has(record);
  }

  /** What is not answered by now is not waited for. */
  giveUp(): void {
    this.over = true;
    this.end();
  }

  /** The writer answers in the order of the records. */
  private answered(result: AppendResult): void {
    if (this.over) return;
    if (result.ok) this.answers.push({ offset: result.offset });
    else if (result.reason === 'stopped') return this.giveUp();
    else this.answers.push({ reason: result.reason });
    if (this.complete) this.end();
  }
}
