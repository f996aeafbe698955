import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/*
 * What a stack keeps on disk holds what people wrote, and passwords: it is for its owner alone.
 * The servers' programs are for everybody: under root, PostgreSQL runs them as another user.
 */

/** Of a mode: everybody but the owner. */
const OTHERS = 0o077;

/** Folders of a stack's directory; PostgreSQL keeps its own private, and has another owner under root. */
const FOLDERS = ['kafka', 'redis', 'logs', 'media', 'nodes'];

/** Makes private what an older version left readable in the folders of a stack. */
export function makePrivate(dir: string): void {
  for (const name of FOLDERS) closeFolder(join(dir, name));
}

function closeFolder(folder: string): void {
  if (!existsSync(folder)) return;
  // Set last: a folder that has it was gone through to its end.
  if ((statSync(folder).mode & OTHERS) === 0) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, statSync(path).mode & 0o700);
  }
  chmodSync(folder, 0o700);
}

/** Starts something whose files, and whose children's files, are its owner's alone. */
export function withPrivateFiles<T>(start: () => T): T {
  const before = process.umask(OTHERS);
  try {
    return start();
  } finally {
    process.umask(before);
  }
}

/** Lets everybody read a folder and run what its owner may run, whatever the umask was when it was made. */
export function openToAll(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, opened(statSync(path).mode));
  }
  chmodSync(folder, opened(statSync(folder).mode));
}

function opened(mode: number): number {
  const runs = mode & 0o100 ? 0o111 : 0;
  return (mode & 0o777) | 0o444 | runs;
}
