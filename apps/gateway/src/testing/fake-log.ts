import type { AppendDone, LogWriter, Pending } from '@tidings/common/kafka/writer/log-writer';
import type { OutRecord } from '@tidings/common/log-events/record';

/** A log of one partition and its writer; while it is away, records wait. */
export class FakeLog implements Pick<LogWriter, 'append' | 'takeWaiting' | 'partitionOf' | 'stop'> {
  /** Message ids in the order of the log, `+` behind those marked `again`. */
  readonly ids: string[] = [];
  away = false;
  full = false;
  private waiting: Pending[] = [];
  private stopped = false;

  append(record: OutRecord, done: AppendDone, options?: { again?: boolean }): boolean {
    if (this.full || this.stopped) return false;
    const again = options?.again === true;
    this.waiting.push({ record, done, again, bytes: 0, queuedAt: 0 });
    setImmediate(() => this.flush());
    return true;
  }

  takeWaiting(): Pending[] {
    return this.waiting.splice(0);
  }

  partitionOf(_key: string): number {
    return 0;
  }

  get queued(): number {
    return this.waiting.length;
  }

  /** It is there again and takes what waits. */
  comeBack(): void {
    this.away = false;
    this.flush();
  }

  stop(): Promise<void> {
    this.stopped = true;
    this.flush();
    for (const { done } of this.waiting.splice(0)) done({ ok: false, reason: 'stopped' });
    return Promise.resolve();
  }

  private flush(): void {
    if (this.away) return;
    for (const { record, done, again } of this.waiting.splice(0)) {
      const offset = BigInt(this.ids.push(record.id + (again ? '+' : '')) - 1);
      done({ ok: true, partition: 0, offset, timestamp: 0, again });
    }
  }
}
