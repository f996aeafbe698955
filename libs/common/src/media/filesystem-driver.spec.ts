import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMediaDriver } from '../../../../test/support/media-driver-suite';
import { FilesystemDriver } from './filesystem-driver';

const root = mkdtempSync(join(tmpdir(), 'tidings-media-'));
afterAll(() => rmSync(root, { recursive: true }));

const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

describe('FilesystemDriver', () => {
  describeMediaDriver(() => new FilesystemDriver(join(root, 'suite')));

  it('spreads files over folders, and leaves none in the making', async () => {
    const place = join(root, 'folders');
    const driver = new FilesystemDriver(place);
    mkdirSync(driver.scratchDir, { recursive: true });
    writeFileSync(join(driver.scratchDir, 'x'), 'x');
    await driver.put('abcdef01', join(driver.scratchDir, 'x'));
    expect(readdirSync(join(place, 'ab', 'cd'))).toEqual(['abcdef01']);
    expect(readdirSync(driver.scratchDir)).toEqual([]);
  });

  it('leaves nothing of a put that fails', async () => {
    const place = join(root, 'failing');
    const driver = new FilesystemDriver(place);
    await driver.check();
    await expect(driver.put('abcdef01', join(place, 'missing'))).rejects.toThrow('ENOENT');
    expect(filesIn(place)).toEqual([]);
  });
});
