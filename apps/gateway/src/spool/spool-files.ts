import { open, readFile, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '@tidings/common/kafka/wire/crc32c';

const CURSOR = 'cursor';
const SEGMENT = /^(\d{16})\.spool$/;

/** Name of the file whose first entry has this sequence number. */
export function segmentName(first: number): string {
  return `${String(first).padStart(16, '0')}.spool`;
}

/** Sequence numbers of the first entries of the segments among these file names, rising. */
export function segmentsAmong(names: readonly string[]): number[] {
  const firsts = names.map((name) => SEGMENT.exec(name)?.[1]).filter((first) => first != null);
  return firsts.map(Number).sort((a, b) => a - b);
}

/** Writes all bytes at a place of a file and returns when the disk has them. */
export type DurableWrite = (file: FileHandle, data: Buffer, at: number) => Promise<void>;

export const writeDurably: DurableWrite = async (file, data, at) => {
  for (let done = 0; done < data.length;) {
    const { bytesWritten } = await file.write(data, done, data.length - done, at + done);
    done += bytesWritten;
  }
  await file.datasync();
};

/** Reads up to `length` bytes of a file from a place on. */
export async function readPart(path: string, at: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const data = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await file.read(data, done, length - done, at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return data.subarray(0, done);
  } finally {
    await file.close();
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Puts new content in the place of a file's, whole or not at all. */
export async function replaceFile(path: string, content: Buffer): Promise<void> {
  const fresh = `${path}.new`;
  const file = await open(fresh, 'w', 0o600);
  try {
    await writeDurably(file, content, 0);
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

/** Keeps the sequence number of the first entry that is not done with. */
export async function writeCursor(dir: string, next: number): Promise<void> {
  const text = Buffer.from(String(next));
  const line = `${next} ${crc32c(text, 0, text.length)}\n`;
  await replaceFile(join(dir, CURSOR), Buffer.from(line));
}

/** The kept sequence number; 0 when there is none or it is damaged: then all is done once more. */
export async function readCursor(dir: string): Promise<number> {
  let line: string;
  try {
    line = await readFile(join(dir, CURSOR), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  const [, digits, check] = /^(\d{1,15}) (\d{1,10})\n$/.exec(line) ?? [];
  if (digits === undefined) return 0;
  const text = Buffer.from(digits);
  return Number(check) === crc32c(text, 0, text.length) ? Number(digits) : 0;
}

/** Removes a file; one that is gone already is no error. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
