import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassArchive } from './class-archive';

describe('ClassArchive', () => {
  let home: string;
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'tidings-archive-'))));
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const libs = () => join(home, 'libs');
  /** What the JVM would write. */
  const written = (flags: string[]): string => {
    const file = flags[0]!.replace('-XX:ArchiveClassesAtExit=', '');
    expect(file).not.toBe(flags[0]);
    writeFileSync(file, 'classes');
    return file;
  };

  it('is written by the first broker that stops properly, and used from then on', () => {
    const archive = new ClassArchive(libs());
    expect(archive.useFlags()).toEqual([]);
    written(archive.flags());
    archive.settle({ code: 143, signal: null });
    const file = join(home, 'kafka-classes.jsa');
    expect(readdirSync(home)).toEqual(['kafka-classes.jsa']);
    expect(new ClassArchive(libs()).flags()[0]).toBe(`-XX:SharedArchiveFile=${file}`);
  });

  it('is not kept of one that was killed', () => {
    const archive = new ClassArchive(libs());
    const file = written(archive.flags());
    archive.settle({ code: null, signal: 'SIGKILL' });
    expect(existsSync(file)).toBe(false);
    expect(new ClassArchive(libs()).useFlags()).toEqual([]);
  });

  it('leaves nothing of those whose starter was killed', () => {
    const orphan = join(home, 'kafka-classes.jsa.4194304-x');
    writeFileSync(orphan, 'classes');
    const other = written(new ClassArchive(libs()).flags());
    new ClassArchive(libs()).flags();
    expect([existsSync(orphan), existsSync(other)]).toEqual([false, true]);
  });

  it('may be written by several at once', () => {
    const [one, two] = [new ClassArchive(libs()), new ClassArchive(libs())];
    expect(written(one.flags())).not.toBe(written(two.flags()));
    one.settle({ code: 0, signal: null });
    two.settle({ code: 0, signal: null });
    expect(readdirSync(home)).toEqual(['kafka-classes.jsa']);
  });
});
