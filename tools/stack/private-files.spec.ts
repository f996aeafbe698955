import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePrivate, openToAll } from './private-files';

describe('files of a stack', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-files-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const modeOf = (...names: string[]): string =>
    (statSync(join(dir, ...names)).mode & 0o777).toString(8);

  it('programs can be run by another user, also when they were unpacked under umask 077', () => {
    mkdirSync(join(dir, 'bin'), { mode: 0o700 });
    writeFileSync(join(dir, 'bin', 'initdb'), '', { mode: 0o700 });
    writeFileSync(join(dir, 'bin', 'notes'), '', { mode: 0o600 });
    symlinkSync('nowhere', join(dir, 'bin', 'link'));
    openToAll(dir);
    expect([modeOf(), modeOf('bin'), modeOf('bin', 'initdb'), modeOf('bin', 'notes')]).toEqual([
      '755',
      '755',
      '755',
      '644',
    ]);
  });

  it('data that an older version left readable is closed', () => {
    mkdirSync(join(dir, 'redis'));
    chmodSync(join(dir, 'redis'), 0o755);
    writeFileSync(join(dir, 'redis', 'dump'), '');
    chmodSync(join(dir, 'redis', 'dump'), 0o644);
    makePrivate(dir);
    expect([modeOf('redis'), modeOf('redis', 'dump')]).toEqual(['700', '600']);
  });
});
