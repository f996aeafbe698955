import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { lockFileText, takeLockFile } from './lock-file';

const PROCESSES = 6;
const ROUNDS = 150;

/**
 * Takes the lock again and again; while it has it, it also makes a file that must not be there
 * already. It gives the lock back by leaving the text of a dead holder, as a killed process does.
 */
const CONTENDER = `
  const { takeLockFile } = require('./lock-file.js');
  const { writeFileSync, rmSync } = require('node:fs');
  let taken = 0;
  while (taken < ${ROUNDS}) {
    if (takeLockFile('lock', String(process.pid), (text) => text !== 'dead') !== undefined) continue;
    taken++;
    writeFileSync('held', '', { flag: 'wx' });
    rmSync('held');
    writeFileSync('lock', 'dead');
  }
`;

describe('a lock file', () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-lock-'));
    path = join(dir, 'lock');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('has one living holder, and is taken over from a dead one', () => {
    expect(lockFileText(path)).toBeUndefined();
    expect(takeLockFile(path, 'first', () => true)).toBeUndefined();
    expect(takeLockFile(path, 'second', () => true)).toBe('first');
    expect(lockFileText(path)).toBe('first');
    expect(takeLockFile(path, 'second', (text) => text !== 'first')).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe('second');
    expect(readdirSync(dir)).toEqual(['lock']);
  });

  it('is never held by two of many processes that all find a dead holder', async () => {
    const source = readFileSync(join(__dirname, 'lock-file.ts'), 'utf8');
    const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 };
    writeFileSync(
      join(dir, 'lock-file.js'),
      transpileModule(source, { compilerOptions }).outputText,
    );
    writeFileSync(join(dir, 'contender.js'), CONTENDER);
    writeFileSync(path, 'dead');
    const ends = Array.from({ length: PROCESSES }, () => {
      const child = spawn(process.execPath, ['contender.js'], { cwd: dir });
      let said = '';
      child.stderr.on('data', (data: Buffer) => (said += data.toString()));
      return new Promise<string>((resolve) => {
        child.on('exit', (code) => resolve(code === 0 ? '' : said));
      });
    });
    expect((await Promise.all(ends)).filter((text) => text !== '')).toEqual([]);
  });
});
