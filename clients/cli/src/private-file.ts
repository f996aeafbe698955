import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';

/** A JSON file for its owner only (mode 0600); always whole: it is replaced, never written over. */
export class PrivateFile<T> {
  constructor(
    readonly path: string,
    /** Whether what was read is of this kind; anything else counts as nothing. */
    private readonly fits: (value: unknown) => value is T,
  ) {}

  /** What is kept; null: nothing, or nothing that can be read. */
  read(): T | null {
    try {
      const value: unknown = JSON.parse(readFileSync(this.path, 'utf8'));
      return this.fits(value) ? value : null;
    } catch {
      return null;
    }
  }

  /** Settled when it would survive a crash. @throws Error as the file system refuses */
  write(value: T): void {
    const temporary = `${this.path}.new`;
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(file, JSON.stringify(value) + '\n');
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, this.path);
  }

  remove(): void {
    rmSync(this.path, { force: true });
    rmSync(`${this.path}.new`, { force: true });
  }
}
