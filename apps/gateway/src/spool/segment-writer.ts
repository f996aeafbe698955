import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { removeFile, segmentName, syncDirectory, type DurableWrite } from './spool-files';

/** A file of a partition's spool: consecutive entries. */
export interface Segment {
  path: string;
  /** Sequence number of its first entry. */
  first: number;
  /** Entries and bytes that are known to be on the disk. */
  count: number;
  bytes: number;
  /** When the first of its records expires, Unix milliseconds; Infinity: none does. */
  expiresAt: number;
}

/** Entries go on in a new file when the newest has this size, bytes. */
const SEGMENT_BYTES = 4 * 1024 * 1024;

/** Appends groups of entries to the newest file of a partition's spool, each with one fsync. */
export class SegmentWriter {
  private file: FileHandle | null = null;
  /** The file that is appended to; null: the next group makes one. */
  current: Segment | null = null;
  private retired = false;

  constructor(
    private readonly dir: string,
    private readonly write: DurableWrite,
    private readonly segmentBytes = SEGMENT_BYTES,
  ) {}

  /**
   * Returns the segment in which the group durably is. `first`: sequence number of its first entry.
   * Rejects when the disk refused; then nothing more goes to that file.
   */
  async append(group: Buffer, count: number, first: number): Promise<Segment> {
    const { current, segmentBytes } = this;
    if (current && (this.retired || current.bytes >= segmentBytes)) await this.seal();
    const segment = this.current ?? (await this.begin(first));
    try {
      await this.write(this.file!, group, segment.bytes);
    } catch (error) {
      await this.file!.truncate(segment.bytes).catch(() => undefined);
      await this.seal();
      throw error;
    }
    segment.bytes += group.length;
    segment.count += count;
    return segment;
  }

  /** The next group goes to a new file. */
  retire(): void {
    this.retired = true;
  }

  /** Ends the newest file; entries go on in another. Not during an append. */
  async seal(): Promise<void> {
    const { file, current } = this;
    this.file = this.current = null;
    this.retired = false;
    await file?.close().catch(() => undefined);
    if (current?.count === 0) await removeFile(current.path).catch(() => undefined);
  }

  private async begin(first: number): Promise<Segment> {
    // not what is above it: a directory that another process has taken is not made anew
    await mkdir(this.dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const path = join(this.dir, segmentName(first));
    this.file = await open(path, 'w', 0o600);
    this.current = { path, first, count: 0, bytes: 0, expiresAt: Infinity };
    try {
      await syncDirectory(this.dir);
    } catch (error) {
      await this.seal();
      throw error;
    }
    return this.current;
  }
}
