import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { assertKey, type ByteRange, type MediaDriver } from './media-driver';

/** Characters of a key that name its two folders, of which there are 65 536. */
const SHARD_CHARS = 2;

/**
 * Objects as files below one folder, which storage and all gateways share. A file appears under its
 * name only when it is complete and on disk (fsync, then rename).
 */
export class FilesystemDriver implements MediaDriver {
  readonly scratchDir: string;

  constructor(private readonly root: string) {
    this.scratchDir = join(root, 'incoming');
  }

  async put(key: string, path: string): Promise<void> {
    const target = this.pathOf(key);
    const folder = dirname(target);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    try {
      await moveSynced(path, target);
    } catch (error) {
      if (codeOf(error) !== 'EXDEV') throw error;
      await this.putCopy(path, target);
    }
    // The entries of both folders are in their parent folders.
    for (const place of [folder, dirname(folder), this.root]) await sync(place);
  }

  async open(key: string, range?: ByteRange): Promise<Readable | null> {
    try {
      const file = await open(this.pathOf(key), 'r');
      return createReadStream('', { fd: file, ...range });
    } catch (error) {
      return nullWhenMissing(error);
    }
  }

  async stat(key: string): Promise<{ size: number } | null> {
    try {
      return { size: (await stat(this.pathOf(key))).size };
    } catch (error) {
      return nullWhenMissing(error);
    }
  }

  async remove(key: string): Promise<void> {
    await rm(this.pathOf(key), { force: true });
  }

  async check(): Promise<void> {
    await mkdir(this.scratchDir, { recursive: true, mode: 0o750 });
  }

  close(): void {}

  /** From another file system: by a copy next to the unfinished files. */
  private async putCopy(path: string, target: string): Promise<void> {
    await this.check();
    const copy = join(this.scratchDir, randomUUID());
    try {
      await copyFile(path, copy);
      await moveSynced(copy, target);
    } finally {
      await rm(copy, { force: true });
    }
  }

  private pathOf(key: string): string {
    assertKey(key);
    const shards = [key.slice(0, SHARD_CHARS), key.slice(SHARD_CHARS, 2 * SHARD_CHARS)];
    return join(this.root, ...shards, key);
  }
}

async function moveSynced(from: string, to: string): Promise<void> {
  await sync(from);
  await rename(from, to);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function nullWhenMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null;
  throw error;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
