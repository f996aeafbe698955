import type { AppendResult, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { OutRecord } from '@tidings/common/log-events/record';
import { DrainAttempt } from './drain-attempt';
import type { Drainer, Judged } from './drainer';
import type { PartitionSpool } from './partition-spool';
import { encodeEntry } from './spool-format';
import { expiryOf, mayBeHeld } from './spooled-message';

/** What became of a send. `held`: on this gateway's disk. `full`, `not_stored`: nowhere. */
export type SendResult =
  | AppendResult
  | { ok: false; reason: 'held'; partition: number; sequence: number; bytes: number }
  | { ok: false; reason: 'full' | 'not_stored' };
export type SendDone = (result: SendResult) => void;

interface Send {
  record: OutRecord;
  done: SendDone;
  again: boolean;
}

/**
 * `open`: sends go to the writer. `holding`: they go to the end of the spool. `closing`: the log is
 * back, all that the spool has is being judged, and sends wait in memory. `handed`: all of it is in
 * the writer's queue, and sends go there behind it.
 */
type State = 'open' | 'holding' | 'closing' | 'handed';

export interface SpoolLaneParts {
  partition: number;
  writer: Pick<LogWriter, 'append' | 'takeWaiting'>;
  spool: PartitionSpool;
  drainer: Pick<Drainer, 'judge' | 'settle'>;
  /** The partition begins to hold sends, or has drained. */
  onHolding(holding: boolean): void;
  onHeld(): void;
  /** Entries that have left the spool together. */
  onDrained?(entries: number): void;
  onError(error: unknown): void;
  /** Unix milliseconds. */
  wallClock: () => number;
  /** Pause after a round that failed, milliseconds. */
  pauseMs?: number;
  /** Expired entries are cut out this often, milliseconds. */
  cutEveryMs?: number;
}

/** Most records and bytes of an attempt. The first after a failure has one: is the log back? */
const BATCH = { records: 500, bytes: 512 * 1024 };
const PROBE = { records: 1, bytes: 1 };
/** A record above this is refused by the writer as well, bytes. */
const MAX_RECORD_BYTES = 512 * 1024;
/** Sends that may wait in memory for the end of a drain; then they are held as well. */
const MAX_BEHIND = 1_000;
const PAUSE_MS = 500;
const CUT_EVERY_MS = 30_000;

/** The sends of one partition: to the log, or to the disk while the log is away and until it drained. */
export class SpoolLane {
  private state: State = 'open';
  private behind: Send[] = [];
  private attempt: DrainAttempt | null = null;
  private stopping = false;
  private running: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;
  private cutAt = 0;

  constructor(private readonly parts: SpoolLaneParts) {}

  /** Drains what an earlier run left. */
  start(): void {
    if (this.parts.spool.size > 0) this.hold([]);
  }

  /** Whether a send would go to the disk, or may have to. */
  get isHolding(): boolean {
    return this.state === 'holding' || this.state === 'closing';
  }

  /** As the writer's append; false: busy. */
  append(record: OutRecord, done: SendDone, options?: { again?: boolean }): boolean {
    if (this.stopping) return false;
    if (this.state === 'open' || this.state === 'handed') {
      return this.parts.writer.append(record, done, options);
    }
    if (this.state === 'holding') return this.put(record, done) !== 'slow';
    this.behind.push({ record, done, again: options?.again === true });
    if (this.behind.length >= MAX_BEHIND) this.holdBehind();
    return true;
  }

  /** The partition's records wait too long: they go to the spool, those that are out first. */
  stalled(): void {
    if (this.stopping) return;
    const { writer, partition } = this.parts;
    const taken = writer
      .takeWaiting(partition)
      .filter(({ record }) => !this.attempt?.owns(record))
      // what the attempt does not own came through `append`
      .map(({ record, done }) => ({ record, done: done as SendDone }));
    if (this.state === 'open') this.hold(taken);
    else this.putAll(taken);
    this.holdBehind();
    this.attempt?.giveUp();
  }

  /** Nothing more is taken or begun. Settles when what is under way has ended. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.running;
    for (const { done } of this.behind.splice(0)) done({ ok: false, reason: 'stopped' });
  }

  private hold(taken: readonly Pick<Send, 'record' | 'done'>[]): void {
    this.state = 'holding';
    this.parts.onHolding(true);
    this.putAll(taken);
    this.running = this.drain();
  }

  private async drain(): Promise<void> {
    let most = PROBE;
    while (!this.stopping) {
      if (this.parts.spool.empty) {
        this.state = 'open';
        this.parts.onHolding(false);
        return;
      }
      const went = await this.round(most).catch((error: unknown) => {
        this.parts.onError(error);
        this.holdBehind();
        return this.pause();
      });
      most = went ? BATCH : PROBE;
    }
  }

  /** Moves the oldest entries on. False: they could not be; it is tried again. */
  private async round(most: { records: number; bytes: number }): Promise<boolean> {
    const { spool, drainer } = this.parts;
    await this.cutExpired();
    const entries = await spool.peek(most);
    if (entries.length === 0) return most === BATCH;
    if (most === BATCH && spool.isAll(entries.length)) this.state = 'closing';
    const judged = await drainer.judge(entries);
    if (!judged) {
      this.holdBehind();
      return this.pause();
    }
    const attempt = await this.try(judged);
    const done = drainer.settle(judged, attempt.answers);
    if (done > 0) {
      await spool.advance(entries[done - 1]!);
      this.parts.onDrained?.(done);
    }
    return done === entries.length || this.pause();
  }

  /** The content of what has expired does not wait on the disk for the log. */
  private async cutExpired(): Promise<void> {
    const { spool, wallClock, cutEveryMs = CUT_EVERY_MS } = this.parts;
    const now = wallClock();
    if (Math.abs(now - this.cutAt) < cutEveryMs) return;
    this.cutAt = now;
    await spool.cut(now);
  }

  private async try(judged: readonly Judged[]): Promise<DrainAttempt> {
    const records = judged.filter((j) => 'append' in j.verdict).map(({ record }) => record);
    const attempt = new DrainAttempt(this.parts.writer, records);
    this.attempt = attempt;
    if (this.stopping) attempt.giveUp();
    else if (!attempt.start()) this.stalled();
    else if (this.state === 'closing') this.handBehind();
    await attempt.ended;
    this.attempt = null;
    return attempt;
  }

  /** The writer has all of the spool: sends follow it there. */
  private handBehind(): void {
    this.state = 'handed';
    for (const { record, done, again } of this.behind.splice(0)) {
      const taken = this.parts.writer.append(record, done, { again });
      if (!taken) done({ ok: false, reason: 'full' });
    }
  }

  /** No end of the drain in sight: what waited in memory is held. */
  private holdBehind(): void {
    if (this.state === 'open') return;
    this.state = 'holding';
    this.putAll(this.behind.splice(0));
  }

  /** When one does not fit, those behind it are refused too: nothing may overtake it. */
  private putAll(sends: readonly Pick<Send, 'record' | 'done'>[]): void {
    let full = false;
    for (const { record, done } of sends) {
      if (full) {
        done({ ok: false, reason: 'full' });
        continue;
      }
      const put = this.put(record, done);
      if (put === 'slow') done({ ok: false, reason: 'full' });
      full = put !== 'taken';
    }
  }

  /** `slow`: not taken and not answered. */
  private put(record: OutRecord, done: SendDone): 'taken' | 'full' | 'slow' {
    const { spool, partition, onHeld, onError } = this.parts;
    const refuse = (reason: 'stopped' | 'too_large' | 'full') => done({ ok: false, reason });
    const bytes = Buffer.byteLength(record.value);
    if (!mayBeHeld(record) || bytes > MAX_RECORD_BYTES) {
      refuse(mayBeHeld(record) ? 'too_large' : 'stopped');
      return 'taken';
    }
    const times = { sentAt: Date.parse(record.time), expiresAt: expiryOf(record) };
    const put = spool.put(encodeEntry(record), times, (result) => {
      if ('sequence' in result) {
        onHeld();
        done({ ok: false, reason: 'held', partition, sequence: result.sequence, bytes });
      } else {
        onError(result.error);
        done({ ok: false, reason: isFull(result.error) ? 'full' : 'not_stored' });
      }
    });
    if (put === 'full') refuse('full');
    return put;
  }

  /** Always false, for the round that ends with it. */
  private async pause(): Promise<false> {
    if (this.stopping) return false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.parts.pauseMs ?? PAUSE_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return false;
  }
}

function isFull(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
