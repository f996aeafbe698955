import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { MediaDriver } from '@tidings/common/media/media-driver';

/** What every media driver must do. `make`: a driver over an empty place. */
export function describeMediaDriver(make: () => Promise<MediaDriver> | MediaDriver): void {
  let driver: MediaDriver;
  let dir: string;

  beforeAll(async () => {
    driver = await make();
    dir = mkdtempSync(join(tmpdir(), 'tidings-driver-'));
    mkdirSync(driver.scratchDir, { recursive: true });
  });
  afterAll(() => {
    driver.close();
    rmSync(dir, { recursive: true });
  });

  const put = async (bytes: Buffer, folder = driver.scratchDir): Promise<string> => {
    const key = randomUUID();
    const path = join(folder, randomUUID());
    writeFileSync(path, bytes);
    await driver.put(key, path, 'application/octet-stream');
    rmSync(path, { force: true });
    return key;
  };
  const read = async (...args: Parameters<MediaDriver['open']>): Promise<Buffer | null> => {
    const stream = await driver.open(...args);
    return stream && (await buffer(stream));
  };

  it('is ready', () => expect(driver.check()).resolves.toBeUndefined());

  it.each([0, 1, 100_000, 9_000_000])('gives %i bytes back as they were', async (size) => {
    const bytes = Buffer.alloc(size, 'tidings');
    const key = await put(bytes);
    expect(await driver.stat(key)).toEqual({ size });
    expect((await read(key))?.equals(bytes)).toBe(true);
  });

  it.each([
    [{ start: 0, end: 0 }, 'a'],
    [{ start: 2, end: 4 }, 'cde'],
    [{ start: 9, end: 9 }, 'j'],
    [{ start: 0, end: 9 }, 'abcdefghij'],
  ])('reads %j', async (range, text) => {
    const key = await put(Buffer.from('abcdefghij'));
    expect((await read(key, range))?.toString()).toBe(text);
  });

  it('takes a file from another folder', async () => {
    const key = await put(Buffer.from('elsewhere'), dir);
    expect((await read(key))?.toString()).toBe('elsewhere');
  });

  it('keeps keys apart', async () => {
    const key = await put(Buffer.from('one'));
    const path = join(dir, 'two');
    writeFileSync(path, 'two');
    await driver.put(`${key}.thumb`, path, 'image/webp');
    await driver.remove(key);
    expect([await read(key), (await read(`${key}.thumb`))?.toString()]).toEqual([null, 'two']);
  });

  it('has nothing under an unknown key, and removes it all the same, twice', async () => {
    const key = randomUUID();
    expect([await driver.stat(key), await read(key)]).toEqual([null, null]);
    await driver.remove(key);
    await driver.remove(key);
  });

  it('ends a reader that stops early', async () => {
    const key = await put(Buffer.alloc(9_000_000));
    const stream = (await driver.open(key))!;
    await stream[Symbol.asyncIterator]().next();
    stream.destroy();
    await once(stream, 'close');
  });

  it.each([
    '../../../../etc/passwd',
    'a/b',
    '',
    '.',
    'abcdefgh/../x',
    'abcdefgh.thumb.x',
    'ABCDEFGH',
  ])('refuses the key %j', async (key) => {
    await expect(driver.open(key)).rejects.toThrow('not a media key');
    await expect(driver.remove(key)).rejects.toThrow('not a media key');
    await expect(driver.stat(key)).rejects.toThrow('not a media key');
  });
}
