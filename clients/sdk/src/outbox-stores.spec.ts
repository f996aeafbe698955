import { IDBFactory } from 'fake-indexeddb';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { id, outboxRecord as record } from '../testing/factories';
import { outboxStoreSuite } from '../testing/outbox-store-suite';
import { eventually } from '../../../test/support/eventually';
import type { IdbFactory } from './indexed-db';
import { IndexedDbOutboxStore } from './indexed-db-outbox';
import { FileOutboxStore } from './node/file-outbox';
import { MemoryOutboxStore } from './outbox-store';

const CANARY = 'canary-7f3a';
const canary = (n: number) => record(n, { content: { kind: 'text', text: CANARY } });
const makeFactory = (): IdbFactory => new IDBFactory() as unknown as IdbFactory;

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tidings-outbox-'));
  path = join(dir, 'outbox.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

outboxStoreSuite('in memory', () => {
  const store = new MemoryOutboxStore();
  return { open: () => store };
});
outboxStoreSuite('in a file', () => ({
  open: () => new FileOutboxStore(join(dir, 'sub', 'outbox.jsonl')),
}));
outboxStoreSuite('in IndexedDB', () => {
  const factory = makeFactory();
  return { open: () => new IndexedDbOutboxStore('outbox', factory) };
});

describe('the file of an outbox', () => {
  async function opened(tidyAfterMs?: number): Promise<FileOutboxStore> {
    const store = new FileOutboxStore(path, tidyAfterMs);
    await store.load();
    return store;
  }
  const found = async (): Promise<string[]> => {
    const store = new FileOutboxStore(path);
    const ids = (await store.load()).map((r) => r.messageId);
    await store.close();
    return ids;
  };
  /** Everything that lies in the folder, byte by byte. */
  const bytes = async (): Promise<string> =>
    (await Promise.all(readdirSync(dir).map((name) => readFile(join(dir, name), 'latin1')))).join(
      '\n',
    );

  it.each([
    ['a torn last line', '{"add":{"messageId":"x","conv'],
    [
      'a line of something else',
      '[1,2]\n{"other":true}\n"text"\n{"add":{"messageId":"y"}}\nnull\n',
    ],
    ['an empty line', '\n\n'],
  ])('bears %s', async (_, tail) => {
    await writeFile(path, JSON.stringify({ add: record(1) }) + '\n' + tail);
    const store = await opened();
    await store.add(record(2));
    await store.close();
    expect(await found()).toEqual([id(1), id(2)]);
  });

  it('cut at any byte of its last line has lost that line and no other', async () => {
    const store = await opened();
    for (const n of [1, 2]) await store.add(record(n));
    const whole = await readFile(path);
    await store.close();
    const start = whole.indexOf('\n') + 1;
    for (let end = start; end < whole.length - 1; end += 7) {
      await writeFile(path, whole.subarray(0, end));
      expect(await found()).toEqual([id(1)]);
    }
  });

  it('loses no later line to half a line that a failed write left', async () => {
    const store = await opened();
    const file = (store as unknown as { file: { datasync: () => Promise<void> } }).file;
    const datasync = file.datasync.bind(file);
    file.datasync = () => Promise.reject(new Error('I/O error'));
    await expect(store.add(record(1))).rejects.toThrow('I/O error');
    await appendFile(path, '{"add":{"mess');
    file.datasync = datasync;
    await store.add(record(2));
    await store.close();
    expect(await found()).toContain(id(2));
  });

  it('is written anew when it is mostly dead, readable by its owner only', async () => {
    const store = await opened();
    for (let n = 0; n < 300; n++) {
      void store.add(record(n));
      if (n > 0) store.remove(id(n));
    }
    await store.add(record(1000));
    await eventually(async () =>
      expect((await readFile(path, 'utf8')).split('\n').length).toBeLessThan(20),
    );
    await store.close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await found()).toEqual([id(0), id(1000)]);
  });

  it('is empty when the last message is settled', async () => {
    const store = await opened();
    for (const n of [1, 2]) await store.add(canary(n));
    expect(await bytes()).toContain(CANARY);
    for (const n of [1, 2]) store.remove(id(n));
    await eventually(async () => expect(await bytes()).toBe(''));
    await store.add(record(3));
    await store.close();
    expect(await found()).toEqual([id(3)]);
  });

  it('has nothing of a settled message soon, though others wait', async () => {
    const store = await opened(10);
    await store.add(record(1));
    await store.add(canary(2));
    await store.add(record(3));
    store.remove(id(2));
    await eventually(async () => expect(await bytes()).not.toContain(CANARY));
    await store.add(record(4));
    await store.close();
    expect(await found()).toEqual([id(1), id(3), id(4)]);
  });

  it('has nothing of a settled message after it is closed, or opened after a kill', async () => {
    const store = await opened();
    for (const n of [1, 2]) await store.add(n === 1 ? record(n) : canary(n));
    store.remove(id(2));
    await store.close();
    expect(await bytes()).not.toContain(CANARY);
    const lines = [{ add: canary(5) }, { done: id(5) }].map((line) => JSON.stringify(line) + '\n');
    await appendFile(path, lines.join(''));
    await writeFile(`${path}.new`, lines.join(''));
    expect(await found()).toEqual([id(1)]);
    expect(await bytes()).not.toContain(CANARY);
  });

  it('goes on when it cannot be written anew, and tries again', async () => {
    const store = await opened(10);
    await store.add(record(1));
    await store.add(canary(2));
    const blocker = `${path}.new`;
    rmSync(blocker, { force: true });
    await import('node:fs/promises').then((fs) => fs.mkdir(blocker));
    store.remove(id(2));
    await store.add(record(3));
    expect(await readFile(path, 'utf8')).toContain(id(3));
    rmSync(blocker, { recursive: true });
    await eventually(async () => expect(await bytes()).not.toContain(CANARY));
    await store.close();
    expect(await found()).toEqual([id(1), id(3)]);
  });
});

describe('an outbox in IndexedDB', () => {
  it('opens its database again when the browser has closed it', async () => {
    const factory = makeFactory();
    const store = new IndexedDbOutboxStore('outbox', factory);
    await store.load();
    await store.add(record(1));
    const { database } = store as unknown as { database: Promise<{ onversionchange(): void }> };
    (await database).onversionchange();
    await store.add(record(2));
    expect((await store.load()).map((r) => r.messageId)).toEqual([id(1), id(2)]);
    await store.close();
  });

  it('tells when it cannot keep a message, and goes on', async () => {
    const store = new IndexedDbOutboxStore('outbox', makeFactory());
    await store.load();
    const unkept = record(1, { meta: () => 'functions cannot be cloned' });
    await expect(store.add(unkept)).rejects.toThrow();
    await store.add(record(2));
    expect((await store.load()).map((r) => r.messageId)).toEqual([id(2)]);
    await store.close();
  });

  it('says so where there is no IndexedDB', () => {
    expect(() => new IndexedDbOutboxStore('outbox')).toThrow('no IndexedDB');
  });
});
