import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StoreError } from '../errors';
import type { ChangeRecord, ChangeStore, OutboxRecord, OutboxStore } from '../outbox-store';
import { outboxText, readOutboxLines, type LivingLine, type OutboxLine } from './outbox-lines';

interface Waiting {
  line: OutboxLine;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** The file is rewritten when it has more dead lines than this, and more dead than live ones. */
const COMPACT_AFTER = 500;
/** Dead lines are removed after this time at the latest, in milliseconds. */
const TIDY_AFTER_MS = 5_000;

const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants;

/**
 * Keeps an outbox in an append-only file of JSON lines (mode 0600). `add` resolves after fsync;
 * records that wait meanwhile are written together. A torn last line (a crash while writing) is
 * dropped. The text of settled messages leaves the file within seconds: the file is truncated or
 * rewritten.
 */
export class FileOutboxStore implements OutboxStore {
  /** Changes are in the same file: they belong to its messages. */
  readonly changes: ChangeStore = {
    load: () => this.kept((line) => ('change' in line ? line.change : null)),
    add: (change) => this.keep(change.changeId, { change }),
    remove: (changeId) => this.remove(changeId),
  };
  /** By id, in the order of adding. */
  private readonly live = new Map<string, LivingLine>();
  private file: FileHandle | null = null;
  private queue: Waiting[] = [];
  /** Runs everything that touches the open file, one after another. */
  private working: Promise<void> | null = null;
  /** Lines of the file that no live message needs. */
  private dead = 0;
  private tidyDue = false;
  private tidyTimer: NodeJS.Timeout | null = null;
  /** The last write failed and may have left half a line. */
  private torn = false;

  constructor(
    private readonly path: string,
    private readonly tidyAfterMs = TIDY_AFTER_MS,
  ) {}

  /** Reads what is there and rewrites it without dead lines. */
  async load(): Promise<OutboxRecord[]> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    for (const line of readOutboxLines(await readIfThere(this.path))) {
      if ('add' in line) this.live.set(line.add.messageId, line);
      else if ('change' in line) this.live.set(line.change.changeId, line);
      else this.live.delete(line.done);
    }
    await this.compact();
    return this.kept((line) => ('add' in line ? line.add : null));
  }

  add(record: OutboxRecord): Promise<void> {
    return this.keep(record.messageId, { add: record });
  }

  remove(id: string): void {
    if (!this.live.delete(id)) return;
    this.append({ done: id }).catch(() => undefined);
    this.tidyLater();
  }

  async close(): Promise<void> {
    this.stopTimer();
    this.tidyDue = this.file !== null;
    this.working ??= this.work();
    await this.working;
    await this.file?.close();
    this.file = null;
  }

  private kept<T extends OutboxRecord | ChangeRecord>(pick: (line: LivingLine) => T | null): T[] {
    return [...this.live.values()].flatMap((line) => pick(line) ?? []);
  }

  private async keep(id: string, line: LivingLine): Promise<void> {
    this.live.set(id, line);
    await this.append(line);
  }

  private append(line: OutboxLine): Promise<void> {
    return new Promise((resolve, reject) => {
      this.queue.push({ line, resolve, reject });
      this.working ??= this.work();
    });
  }

  /** Writes until nothing waits. One fsync serves everything that came meanwhile. */
  private async work(): Promise<void> {
    await Promise.resolve();
    while (this.queue.length > 0 || this.tidyDue) {
      const batch = this.queue.splice(0);
      if (batch.length > 0) await this.settle(batch);
      if (this.tidyDue || this.mostlyDead || this.allDead) await this.shrink();
    }
    this.working = null;
  }

  private async settle(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.write(batch.map((waiting) => waiting.line));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  private async write(lines: readonly OutboxLine[]): Promise<void> {
    if (!this.file) throw new StoreError('The outbox file is not open');
    const text = outboxText(lines);
    const whole = this.torn ? '\n' + text : text;
    this.dead += 2 * lines.filter((line) => 'done' in line).length;
    this.torn = true;
    await this.file.appendFile(whole);
    // A settled message may return after a crash: sending it again does no harm.
    if (lines.some((line) => !('done' in line))) await this.file.datasync();
    this.torn = false;
  }

  private get mostlyDead(): boolean {
    return this.dead > COMPACT_AFTER && this.dead > this.live.size;
  }

  /** Whether nothing in the file is needed any more and nothing waits to be written. */
  private get allDead(): boolean {
    return this.dead > 0 && this.live.size === 0 && this.queue.length === 0;
  }

  /** Removes dead lines. What fails now is tried again later. */
  private async shrink(): Promise<void> {
    this.tidyDue = false;
    if (this.dead === 0) return;
    try {
      if (this.allDead) await this.empty();
      else await this.compact();
    } catch {
      this.tidyLater();
    }
  }

  private async empty(): Promise<void> {
    await this.file?.truncate(0);
    this.dead = 0;
    this.torn = false;
  }

  /**
   * Replaces the file by one with only the live messages; the old file stays until that is safe.
   */
  private async compact(): Promise<void> {
    const temporary = `${this.path}.new`;
    const next = await open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
    try {
      await next.appendFile(outboxText([...this.live.values()]));
      await next.sync();
      await rename(temporary, this.path);
    } catch (error) {
      await next.close();
      await rm(temporary, { force: true });
      throw error;
    }
    const old = this.file;
    this.file = next;
    this.dead = 0;
    this.torn = false;
    await old?.close();
    await syncDirectory(dirname(this.path));
  }

  private tidyLater(): void {
    this.tidyTimer ??= setTimeout(() => {
      this.tidyTimer = null;
      this.tidyDue = true;
      this.working ??= this.work();
    }, this.tidyAfterMs).unref();
  }

  private stopTimer(): void {
    if (this.tidyTimer) clearTimeout(this.tidyTimer);
    this.tidyTimer = null;
  }
}

/** Removes an outbox file, e.g. after a logout. */
export async function removeOutboxFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return '';
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
