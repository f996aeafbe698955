import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockHolder, releaseLock, takeLock } from './lock';
import { reset } from './reset';
import { ensureSecrets } from './secrets';
import { readStackFile } from './stack-file';

describe('what a stack keeps in its directory', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-state-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('secrets are random, long, kept and readable by the owner only', () => {
    const file = join(dir, 'secrets.json');
    const secrets = ensureSecrets(file);
    expect(Buffer.from(secrets.jwtSecret, 'base64url')).toHaveLength(48);
    expect(secrets.clusterSecret).not.toBe(secrets.jwtSecret);
    expect(ensureSecrets(file)).toEqual(secrets);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each(['', '{}', '{"jwtSecret":1,"clusterSecret":"x"}'])(
    'a damaged secrets file (%j) is named',
    (text) => {
      const file = join(dir, 'secrets.json');
      writeFileSync(file, text);
      expect(() => ensureSecrets(file)).toThrow(file);
    },
  );

  it('the lock has one holder', () => {
    expect(lockHolder(dir)).toBeUndefined();
    expect(takeLock(dir)).toBeUndefined();
    expect(takeLock(dir)?.pid).toBe(process.pid);
    releaseLock(dir);
    expect(takeLock(dir)).toBeUndefined();
  });

  it.each(['', '{}', '{"pid":999999999,"program":"start.js"}'])(
    'a lock without a living holder (%j) is taken over',
    (text) => {
      writeFileSync(join(dir, 'lock'), text);
      expect(takeLock(dir)).toBeUndefined();
      expect(lockHolder(dir)?.pid).toBe(process.pid);
    },
  );

  it('addresses count only while the runner lives', () => {
    writeFileSync(join(dir, 'stack.json'), '{"brokers":"x"}');
    expect(readStackFile(dir)).toBeUndefined();
    takeLock(dir);
    expect(readStackFile(dir)?.brokers).toBe('x');
  });

  it('reset removes everything, but not under a running stack', () => {
    mkdirSync(join(dir, 'kafka'));
    takeLock(dir);
    expect(() => reset(dir)).toThrow(/stop it first/);
    releaseLock(dir);
    reset(dir);
    expect(existsSync(join(dir, 'kafka'))).toBe(false);
    expect(lockHolder(dir)).toBeUndefined();
  });
});
