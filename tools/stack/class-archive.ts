import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Exit } from './child';

/**
 * Classes of the broker as the JVM has them in memory (class data sharing, JEP 350), kept beside the
 * jars: loading them takes a third of the time and of the CPU of a start. The first broker that is
 * stopped properly writes the archive; a JVM to which it does not fit (another version) does without.
 */
export class ClassArchive {
  private readonly file: string;
  private readonly own: string;
  private writing = false;

  /** @param libs directory of the jars */
  constructor(libs: string) {
    this.file = join(dirname(libs), 'kafka-classes.jsa');
    this.own = `${this.file}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  }

  /** JVM options for a broker: use the archive, or write one at its end. */
  flags(): string[] {
    this.removeOrphans();
    this.writing = !existsSync(this.file);
    return this.writing ? [`-XX:ArchiveClassesAtExit=${this.own}`] : this.useFlags();
  }

  /** JVM options for a program beside the broker. */
  useFlags(): string[] {
    return existsSync(this.file) ? [`-XX:SharedArchiveFile=${this.file}`, '-Xlog:cds=off'] : [];
  }

  /** The broker has ended: what it wrote is kept, unless it was killed. Never throws. */
  settle({ signal }: Exit): void {
    if (!this.writing) return;
    this.writing = false;
    try {
      if (signal === null && existsSync(this.own)) renameSync(this.own, this.file);
      else rmSync(this.own, { force: true });
    } catch {
      // starts stay as slow as they were
    }
  }

  /** What brokers wrote whose starter was killed: nobody else would ever remove it. */
  private removeOrphans(): void {
    const prefix = `${basename(this.file)}.`;
    const folder = dirname(this.file);
    try {
      for (const name of readdirSync(folder)) {
        if (!name.startsWith(prefix)) continue;
        const pid = Number.parseInt(name.slice(prefix.length), 10);
        if (!isAlive(pid)) rmSync(join(folder, name), { force: true });
      }
    } catch {
      // they stay until the next start
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
