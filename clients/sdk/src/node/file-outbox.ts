import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { OutboxRecord, OutboxStore } from '../outbox-store';

/** One line of the file: a message was added, or settled. */
type Line = { add: OutboxRecord } | { done: string };

interface Waiting {
  line: string;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** The file is written anew when it has more dead lines than this, and than living ones. */
const COMPACT_AFTER = 500;

/**
 * Keeps an outbox in an append-only file of JSON lines (mode 0600). `add` settles after fsync; what
 * waits meanwhile is written together. A torn last line (a crash while writing) is dropped.
 */
export class FileOutboxStore implements OutboxStore {
  private readonly live = new Map<string, OutboxRecord>();
  private file: FileHandle | null = null;
  private queue: Waiting[] = [];
  private writing: Promise<void> | null = null;
  private dead = 0;
  /** The last write failed: it may have left half a line. */
  private torn = false;

  constructor(private readonly path: string) {}

  /** Reads what is there and writes it anew without dead lines. */
  async load(): Promise<OutboxRecord[]> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    for (const line of readLines(await readIfThere(this.path))) {
      if ('add' in line) this.live.set(line.add.messageId, line.add);
      else this.live.delete(line.done);
    }
    await this.compact();
    return [...this.live.values()];
  }

  async add(record: OutboxRecord): Promise<void> {
    this.live.set(record.messageId, record);
    await this.append({ add: record });
  }

  remove(messageId: string): void {
    if (!this.live.delete(messageId)) return;
    this.dead += 2;
    this.append({ done: messageId }).catch(() => undefined);
  }

  async close(): Promise<void> {
    while (this.writing) await this.writing;
    await this.file?.close();
    this.file = null;
  }

  private append(line: Line): Promise<void> {
    return new Promise((resolve, reject) => {
      this.queue.push({ line: JSON.stringify(line) + '\n', resolve, reject });
      this.writing ??= this.writeAll();
    });
  }

  /** Writes until nothing waits; one fsync for all that came meanwhile. */
  private async writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.queue.length > 0) {
      const batch = this.queue.splice(0);
      try {
        await this.write(batch.map((waiting) => waiting.line).join(''));
        for (const waiting of batch) waiting.resolve();
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.writing = null;
  }

  private async write(lines: string): Promise<void> {
    if (!this.file) throw new Error('The outbox file is not open');
    const text = this.torn ? '\n' + lines : lines;
    this.torn = true;
    await this.file.appendFile(text);
    await this.file.datasync();
    this.torn = false;
    if (this.dead > COMPACT_AFTER && this.dead > this.live.size) await this.compact();
  }

  /** Replaces the file by one with the living messages only; the old one stays until that is safe. */
  private async compact(): Promise<void> {
    const temporary = `${this.path}.new`;
    const next = await open(temporary, 'w', 0o600);
    try {
      const lines = [...this.live.values()].map((add) => JSON.stringify({ add } satisfies Line));
      await next.writeFile(lines.map((line) => line + '\n').join(''));
      await next.sync();
    } finally {
      await next.close();
    }
    await rename(temporary, this.path);
    await syncDirectory(dirname(this.path));
    await this.file?.close();
    this.file = await open(this.path, constants.O_WRONLY | constants.O_APPEND);
    this.dead = 0;
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

function readLines(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    const parsed = parseLine(line);
    return parsed ? [parsed] : [];
  });
}

function parseLine(text: string): Line | null {
  try {
    const value = JSON.parse(text) as { add?: Partial<OutboxRecord>; done?: unknown };
    if (typeof value.done === 'string') return { done: value.done };
    const { messageId, conversationId, to, content } = value.add ?? {};
    const addressed = typeof conversationId === 'string' || typeof to === 'string';
    if (typeof messageId !== 'string' || !addressed || !content) return null;
    return { add: value.add as OutboxRecord };
  } catch {
    return null;
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
