import type { AppendDone, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { OutRecord } from '@tidings/common/log-events/record';

interface Append {
  record: OutRecord;
  done: AppendDone;
  again: boolean;
}

/** A log of one partition whose answers come when the test says so. */
export class FakeWriter implements Pick<LogWriter, 'append'> {
  readonly appends: Append[] = [];
  full = false;
  /** Whether a send would go to the disk. */
  isHolding: (key: string) => boolean = () => false;
  private answered = 0;

  append(record: OutRecord, done: AppendDone, options?: { again?: boolean }): boolean {
    if (this.full) return false;
    this.appends.push({ record, done, again: options?.again === true });
    return true;
  }

  /** Answers everything that waits; `unknown`: some of it may have been appended before. */
  flush({ unknown = false } = {}): void {
    for (; this.answered < this.appends.length; this.answered++) {
      const { done, again } = this.appends[this.answered]!;
      const offset = BigInt(this.answered);
      done({ ok: true, partition: 0, offset, timestamp: 0, again: again || unknown });
    }
  }

  /** Answers everything that waits with a failure. */
  fail(reason: 'stopped' | 'too_large'): void {
    for (; this.answered < this.appends.length; this.answered++) {
      this.appends[this.answered]!.done({ ok: false, reason });
    }
  }

  /** Ids of the records, in order. */
  get ids(): string[] {
    return this.appends.map(({ record }) => record.id);
  }
}
