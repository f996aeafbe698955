import { readdir } from 'node:fs/promises';
import type { OutRecord } from '@tidings/common/log-events/record';
import { cutSegment } from './segment-cut';
import { recoverSegment, type Damage } from './segment-recovery';
import { SegmentWriter, type Segment } from './segment-writer';
import type { SpoolBudget } from './spool-budget';
import {
  readCursor,
  readPart,
  removeFile,
  segmentsAmong,
  writeCursor,
  writeDurably,
  type DurableWrite,
} from './spool-files';
import { scanEntries, type FoundEntry } from './spool-format';

/** An entry that is on the disk and not done with. */
export interface StoredEntry {
  record: OutRecord;
  /** Rises by one from entry to entry; gaps where damage was cut out. */
  sequence: number;
  /** Offset after it in its file. */
  end: number;
}

/** What became of a `put`: its sequence number, or the disk's error. */
export type Stored = (result: { sequence: number } | { error: Error }) => void;

export interface PartitionSpoolOptions {
  dir: string;
  budget: SpoolBudget;
  onDamage(damage: Damage): void;
  /** Entries from..to (exclusive) were lost by damage after they had been stored. */
  onLost(from: number, to: number): void;
  segmentBytes?: number;
  /** How groups get to the disk. */
  write?: DurableWrite;
  /** Asked before something is done with for good: rejects when another process has the directory. */
  stillOurs?: () => Promise<void>;
}

/** Unix milliseconds; Infinity: it never expires. */
interface Times {
  sentAt: number;
  expiresAt: number;
}

interface Put {
  entry: Buffer;
  expiresAt: number;
  stored: Stored;
}

/** How much of a file is read at a time; longer than any entry. */
const READ_BYTES = 1024 * 1024;

/**
 * The spool of one partition: entries in order over files, read from the front and appended at the
 * end. A `put` is answered when its entry is on the disk; what comes during an fsync shares the next.
 */
export class PartitionSpool {
  private segments: Segment[] = [];
  private readonly writer: SegmentWriter;
  /** Sequence number of the first entry that is not done with, and its place in the first file. */
  private cursor = 0;
  private offset = 0;
  private nextSequence = 0;
  private waiting: Put[] = [];
  private writing: Promise<void> | null = null;
  private committed = 0;
  private unwritten = 0;
  private files = 0;
  /** Unix milliseconds at which the oldest entry was sent; null when there is none. */
  oldestAt: number | null = null;

  constructor(private readonly options: PartitionSpoolOptions) {
    const { dir, write = writeDurably, segmentBytes } = options;
    this.writer = new SegmentWriter(dir, write, segmentBytes);
  }

  /** Entries on the disk, not done with. */
  get size(): number {
    return this.committed;
  }

  /** Nothing is on the disk or on its way there. */
  get empty(): boolean {
    return this.committed === 0 && this.waiting.length === 0 && this.writing === null;
  }

  /** Whether so many entries are all that there is, also on its way to the disk. */
  isAll(entries: number): boolean {
    return entries === this.committed && this.unwritten === 0;
  }

  /** Reads what an earlier run left, in order; a torn tail is cut off. */
  async open(found: (record: OutRecord, sequence: number) => void): Promise<void> {
    const { dir } = this.options;
    const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    this.cursor = this.nextSequence = await readCursor(dir);
    for (const first of segmentsAmong(names)) await this.recover(first, found);
    const [oldest] = this.segments;
    if (oldest && oldest.first > this.cursor) this.cursor = oldest.first;
  }

  /**
   * Puts an encoded entry at the end. Anything but `taken`: not taken, `stored` is never called.
   * When the disk refuses, everything that waits for it is refused with it, in order.
   */
  put(entry: Buffer, { sentAt, expiresAt }: Times, stored: Stored): 'taken' | 'full' | 'slow' {
    const bytes = this.files + this.unwritten;
    const taken = this.options.budget.take(entry.length, { bytes, unwritten: this.unwritten });
    if (taken !== 'taken') return taken;
    this.unwritten += entry.length;
    this.oldestAt ??= sentAt;
    this.waiting.push({ entry, expiresAt, stored });
    this.writing ??= this.write();
    return 'taken';
  }

  /** Settles when nothing waits for the disk any more. */
  async settled(): Promise<void> {
    while (this.writing) await this.writing;
  }

  /** The oldest entries, at most so many and at least one when there is one; they stay. */
  async peek(most: { records: number; bytes: number }): Promise<StoredEntry[]> {
    for (;;) {
      await this.trim();
      const [segment] = this.segments;
      const left = segment ? segment.bytes - this.offset : 0;
      if (!segment || left === 0) {
        if (this.writing === null) return [];
        await this.writing;
        continue;
      }
      const data = await readPart(segment.path, this.offset, Math.min(left, READ_BYTES));
      const entries = scanEntries(data, most).map(({ record, end }, i) => ({
        record,
        sequence: this.cursor + i,
        end: this.offset + end,
      }));
      if (entries.length > 0) {
        this.oldestAt = Date.parse(entries[0]!.record.time);
        return entries;
      }
      await this.lose(segment);
    }
  }

  /** The entries up to this one are done with, for good. */
  async advance(last: StoredEntry): Promise<void> {
    await this.options.stillOurs?.();
    this.committed -= last.sequence + 1 - this.cursor;
    this.cursor = last.sequence + 1;
    this.offset = last.end;
    await writeCursor(this.options.dir, this.cursor);
    await this.trim();
    if (this.empty) this.oldestAt = null;
  }

  /**
   * Cuts what has expired out of the files; gives those records. Not during a `peek` or between it
   * and its `advance`.
   */
  async cut(now: number): Promise<OutRecord[]> {
    const cut: OutRecord[] = [];
    for (const segment of [...this.segments]) {
      if (segment.expiresAt > now || this.cursor >= segment.first + segment.count) continue;
      await this.options.stillOurs?.();
      await this.released(segment);
      const before = segment.bytes;
      const done = Math.max(0, this.cursor - segment.first);
      const after = await cutSegment(segment, done, now);
      if (segment === this.segments[0]) this.offset = after.offset;
      this.files -= before - segment.bytes;
      this.options.budget.give(before - segment.bytes);
      cut.push(...after.cut);
    }
    return cut;
  }

  /** Waits for the disk and closes the files; what is stored stays. */
  async close(): Promise<void> {
    await this.settled();
    await this.writer.seal();
  }

  private async recover(
    first: number,
    found: (record: OutRecord, sequence: number) => void,
  ): Promise<void> {
    const { dir, onDamage } = this.options;
    const { segment, entries } = await recoverSegment(dir, first, onDamage);
    const end = first + segment.count;
    this.nextSequence = Math.max(this.nextSequence, end);
    if (end <= this.cursor || segment.count === 0) return removeFile(segment.path);
    this.addFound(segment, entries, found);
  }

  private addFound(
    segment: Segment,
    entries: FoundEntry[],
    found: (record: OutRecord, sequence: number) => void,
  ): void {
    const done = Math.max(0, this.cursor - segment.first);
    if (this.segments.length === 0 && done > 0) this.offset = entries[done - 1]!.end;
    this.segments.push(segment);
    this.files += segment.bytes;
    this.options.budget.found(segment.bytes);
    for (let i = done; i < entries.length; i++) {
      const { record } = entries[i]!;
      this.committed++;
      this.oldestAt ??= Date.parse(record.time);
      found(record, segment.first + i);
    }
  }

  private async write(): Promise<void> {
    // what the same turn puts goes along
    await new Promise((resolve) => setImmediate(resolve));
    const group = this.waiting.splice(0);
    const data = Buffer.concat(group.map(({ entry }) => entry));
    const written = await this.writer.append(data, group.length, this.nextSequence).then(
      (segment) => ({ segment }),
      (error: Error) => ({ error }),
    );
    if ('error' in written) {
      // they may be in the file all the same, under these numbers
      this.nextSequence += group.length;
      this.refuse(group.concat(this.waiting.splice(0)), written.error);
    } else this.commit(written.segment, group, data.length);
    this.writing = this.waiting.length > 0 ? this.write() : null;
  }

  private commit(segment: Segment, group: Put[], bytes: number): void {
    if (this.segments.at(-1) !== segment) this.segments.push(segment);
    if (this.committed === 0 && this.segments[0] === segment && this.cursor < segment.first) {
      this.cursor = segment.first;
      this.offset = 0;
    }
    for (const { expiresAt } of group) segment.expiresAt = Math.min(segment.expiresAt, expiresAt);
    this.unwritten -= bytes;
    this.files += bytes;
    this.committed += group.length;
    for (const { stored } of group) stored({ sequence: this.nextSequence++ });
  }

  private refuse(puts: Put[], error: Error): void {
    for (const { entry } of puts) {
      this.unwritten -= entry.length;
      this.options.budget.give(entry.length);
    }
    if (this.committed === 0) this.oldestAt = null;
    for (const { stored } of puts) stored({ error });
  }

  /** What is left of a file cannot be read any more. */
  private async lose(segment: Segment): Promise<void> {
    const { path } = segment;
    await this.options.stillOurs?.();
    await this.released(segment);
    const end = segment.first + segment.count;
    this.options.onDamage({ path, at: this.offset, bytes: segment.bytes - this.offset });
    this.committed -= end - this.cursor;
    this.options.onLost(this.cursor, end);
    this.cursor = end;
    this.offset = segment.bytes;
    await writeCursor(this.options.dir, end);
  }

  /** Nothing more is written to this file. */
  private async released(segment: Segment): Promise<void> {
    while (this.writer.current === segment) {
      this.writer.retire();
      if (this.writing) await this.writing;
      else await this.writer.seal();
    }
  }

  /** Removes the files whose entries are all done with. */
  private async trim(): Promise<void> {
    for (;;) {
      const [segment] = this.segments;
      if (!segment || this.cursor < segment.first + segment.count) return;
      if (this.writer.current === segment) {
        if (this.writing !== null) return;
        await this.writer.seal();
      }
      this.segments.shift();
      this.files -= segment.bytes;
      this.options.budget.give(segment.bytes);
      this.offset = 0;
      const [next] = this.segments;
      if (next) this.cursor = Math.max(this.cursor, next.first);
      await removeFile(segment.path);
    }
  }
}
