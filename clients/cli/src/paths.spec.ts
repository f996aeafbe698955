import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Message, TidingsClient } from '@tidings/sdk';
import { Files, safeName } from './files';
import { completePath, downloadFolder, readPath, readWord, typedPath } from './paths';

const HOME = '/home/ann';

describe('paths as they are typed', () => {
  it.each([
    ['a.png caption here', 'a.png', 'caption here'],
    ['"my file.png" so nice', 'my file.png', 'so nice'],
    ["'it is' x", 'it is', 'x'],
    ['my\\ file.png so nice', 'my file.png', 'so nice'],
    ['~/a.png', `${HOME}/a.png`, ''],
    ['~', HOME, ''],
    ['"~/a"', '~/a', ''],
    ['\\~/a', '~/a', ''],
    ['~ann/a', '~ann/a', ''],
    ['"never closed', 'never closed', ''],
    ['a"b c"d', 'ab cd', ''],
  ])('%s', (text, word, rest) => expect(readWord(text, HOME)).toEqual({ word, rest }));

  it('are none where nothing is typed', () => expect(readWord('  ', HOME)).toBeNull());

  describe('on a disk', () => {
    let dir: string;
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'tidings-paths-'));
      writeFileSync(join(dir, 'my file.txt'), 'x');
      mkdirSync(join(dir, 'my folder'));
    });
    afterEach(() => rmSync(dir, { recursive: true, force: true }));

    it('need no quotes when the whole line is a file', () => {
      expect(readPath(`${dir}/my file.txt`)).toBe(`${dir}/my file.txt`);
      expect(readPath('~/my\\ file.txt', dir)).toBe(`${dir}/my file.txt`);
      expect(readPath('~/my file.txt', dir)).toBe(`${dir}/my file.txt`);
    });

    it('are completed so that they are read as they are', () => {
      const { candidates } = completePath('/file ~/my', 6, dir);
      expect(candidates).toEqual(['~/my\\ file.txt', '~/my\\ folder/']);
      expect(readPath(candidates[0]!, dir)).toBe(`${dir}/my file.txt`);
      expect(completePath('/file ~/nothing/x', 6, dir).candidates).toEqual([]);
      expect(readWord(typedPath('a b"c\\d'), HOME)?.word).toBe('a b"c\\d');
    });

    it('name the folder for downloads', () => {
      expect(downloadFolder({ XDG_DOWNLOAD_DIR: dir }, '/nowhere')).toBe(dir);
      expect(downloadFolder({ XDG_DOWNLOAD_DIR: '/nowhere' }, '/nowhere')).toBe(process.cwd());
      mkdirSync(join(dir, 'Downloads'));
      expect(downloadFolder({}, dir)).toBe(join(dir, 'Downloads'));
      mkdirSync(join(dir, '.config'));
      const setting = 'XDG_DOWNLOAD_DIR="$HOME/my folder"\n';
      writeFileSync(join(dir, '.config', 'user-dirs.dirs'), setting);
      expect(downloadFolder({}, dir)).toBe(join(dir, 'my folder'));
    });

    it('save into a folder, under a free name, and never outside of it', async () => {
      const client = {
        api: { download: () => Promise.resolve(new Response('bytes')) },
      } as unknown as TidingsClient;
      const files = new Files(client);
      const content = { kind: 'file', mediaId: 'm', name: '../../my file.txt', type: 't', size: 5 };
      const number = files.number({ content } as Message);
      symlinkSync(join(dir, 'victim'), join(dir, 'my file-1.txt'));
      await files.save(number, dir);
      expect(readFileSync(join(dir, 'my file.txt'), 'utf8')).toBe('x');
      expect(readdirSync(dir)).not.toContain('victim');
      expect(readFileSync(join(dir, 'my file-2.txt'), 'utf8')).toBe('bytes');
      expect(await files.save(number, join(dir, 'other.txt'))).toMatch(/^file:.*other\.txt$/);
      await expect(files.save(number, `${dir}/none/`)).rejects.toMatchObject({
        code: 'ENOENT',
      });
    });
  });

  it('take no name that is too long, hidden or empty', () => {
    expect(Buffer.byteLength(safeName(`${'ä'.repeat(255)}.txt`))).toBeLessThanOrEqual(240);
    expect(safeName(`${'ä'.repeat(255)}.txt`)).toMatch(/ä\.txt$/);
    expect(safeName(' .profile')).toBe('profile');
    expect(safeName('...')).toBe('file');
  });
});
