import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpoolLock, SpoolLockedError, SpoolTakenError } from './spool-lock';
import { hasSegments, SpoolRoot } from './spool-root';

let root: string;
const locks: SpoolLock[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spools-'));
});
afterEach(async () => {
  await Promise.all(locks.splice(0).map((lock) => lock.release()));
  rmSync(root, { recursive: true, force: true });
});

const DEAD_PID = spawnSync(process.execPath, ['-e', '']).pid;
const dead = (dir: string, over: object = {}) =>
  writeFileSync(
    join(dir, 'lock'),
    JSON.stringify({ pid: DEAD_PID, host: hostname(), began: '1', ...over }),
  );

const of = (nodeId: string) => new SpoolRoot(root, nodeId, join(root, `.data-${nodeId}`), 600);

async function own(nodeId: string) {
  const place = await of(nodeId).own();
  locks.push(place.lock);
  return place;
}

async function adopted(nodeId: string, dir: string) {
  const place = await of(nodeId).adopt({ nodeId: 'gateway-1', dir, touchedAt: null });
  if (place) locks.push(place.lock);
  return place;
}

const foldersOf = (nodeId: string) =>
  readdirSync(join(root, nodeId)).map((name) => name.slice(0, name.indexOf('-')));

describe('the root of all spools', () => {
  it('has a folder per node, private, with a spool that has a name of its process', async () => {
    const { dir } = await own('gateway-1');
    expect(dir.startsWith(join(root, 'gateway-1', 'own-'))).toBe(true);
    expect(statSync(join(root, 'gateway-1')).mode & 0o777).toBe(0o700);
    expect((await of('gateway-2').list()).map((one) => [one.nodeId, one.dir])).toEqual([
      ['gateway-1', dir],
    ]);
  });

  it('gives a node back what its dead process left, under another name', async () => {
    const first = await own('gateway-1');
    writeFileSync(join(first.dir, 'what it held'), '');
    dead(first.dir);
    const next = await own('gateway-1');
    expect(next.dir).not.toBe(first.dir);
    expect(readdirSync(next.dir).sort()).toEqual(['lock', 'what it held']);
    expect(existsSync(first.dir)).toBe(false);
    await expect(first.lock.check()).rejects.toThrow(SpoolTakenError);
    await next.lock.check();
  });

  it('refuses a node whose process lives, here or elsewhere', async () => {
    const { dir } = await own('gateway-1');
    await expect(of('gateway-1').own()).rejects.toThrow(SpoolLockedError);
    dead(dir, { host: 'elsewhere' });
    const beat = setInterval(() => utimesSync(join(dir, 'lock'), new Date(), new Date()), 50);
    await expect(of('gateway-1').own()).rejects.toThrow('on elsewhere');
    clearInterval(beat);
    expect((await own('gateway-1')).dir).not.toBe(dir);
  });

  it("gives a dead process's spool to one of many of its node that want it at once", async () => {
    for (let i = 0; i < 10; i++) {
      const before = await own(`gateway-1${i}`);
      writeFileSync(join(before.dir, 'what it held'), '');
      dead(before.dir);
      const tries = await Promise.allSettled(Array.from({ length: 6 }, () => own(`gateway-1${i}`)));
      const won = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      // the lease of its id keeps a second process out; until then each has a folder of its own
      const has = won.filter(({ dir }) => existsSync(join(dir, 'what it held')));
      expect(has).toHaveLength(1);
      await has[0]!.lock.check();
      for (const { dir, lock } of won) {
        if (existsSync(dir)) await lock.check();
        else await expect(lock.check()).rejects.toThrow(SpoolTakenError);
      }
    }
  });

  it("gives a gone node's spool to one of many that adopt it", async () => {
    const { dir, lock } = await own('gateway-1');
    const tries = await Promise.all(
      Array.from({ length: 10 }, (_, i) => adopted(`gateway-${i + 2}`, dir)),
    );
    const won = tries.filter((place) => place !== null);
    expect(won).toHaveLength(1);
    await won[0]!.lock.check();
    // it was hung, and notices
    await expect(lock.check()).rejects.toThrow(SpoolTakenError);
  });

  it('gives it to the node itself or to who adopts it, when both want it at once', async () => {
    for (let i = 0; i < 20; i++) {
      const node = `gateway-1${i}`;
      const before = await own(node);
      writeFileSync(join(before.dir, 'what it held'), '');
      dead(before.dir);
      const [itself, other] = await Promise.all([own(node), adopted('gateway-2', before.dir)]);
      const has = [itself.dir, other?.dir].filter(
        (dir) => dir !== undefined && existsSync(join(dir, 'what it held')),
      );
      expect(has).toHaveLength(1);
      await itself.lock.check();
      await other?.lock.check();
    }
  });

  it('gives a process that is hung nothing of what its successor has', async () => {
    const hung = await own('gateway-1');
    const other = (await adopted('gateway-2', hung.dir))!;
    const next = await own('gateway-1');
    expect(new Set([hung.dir, other.dir, next.dir]).size).toBe(3);
    expect(existsSync(hung.dir)).toBe(false);
    await hung.lock.release();
    await Promise.all([other.lock.check(), next.lock.check()]);
  });

  it("lets an adopter's spool be adopted in turn, and starts its node with one of its own", async () => {
    const { dir } = await own('gateway-1');
    const first = (await adopted('gateway-2', dir))!;
    const mine = await own('gateway-2');
    expect(foldersOf('gateway-2').sort()).toEqual(['of', 'own']);
    expect(mine.dir).not.toBe(first.dir);
    const second = (await adopted('gateway-3', first.dir))!;
    await expect(first.lock.check()).rejects.toThrow(SpoolTakenError);
    await second.lock.check();
  });

  it('removes an empty spool, and leaves no folder of a node that is gone', async () => {
    const left = await own('gateway-1');
    const mine = await own('gateway-2');
    const one = (await adopted('gateway-2', left.dir))!;
    expect(existsSync(join(root, 'gateway-1'))).toBe(false);
    await of('gateway-2').remove(one.dir);
    expect([existsSync(one.dir), existsSync(mine.dir)]).toEqual([false, true]);
    await mine.lock.check();
  });

  it('looks at nothing else that lies there', async () => {
    for (const name of ['.snapshot', 'lost+found', 'gateway-1']) mkdirSync(join(root, name));
    writeFileSync(join(root, 'gateway-9'), '');
    for (const name of ['own-1', 'of-../x'.replace('/', ''), 'notes']) {
      mkdirSync(join(root, 'gateway-1', name));
    }
    expect(await of('gateway-2').list()).toEqual([]);
    expect(await new SpoolRoot(join(root, 'none'), 'gateway-2', root).list()).toEqual([]);
  });

  it('counts what the node held before it had a root, until that is empty, and leaves it in place', async () => {
    const former = join(root, '.data-gateway-1', 'spool');
    mkdirSync(join(former, '3'), { recursive: true });
    expect([await hasSegments(former), await of('gateway-1').list()]).toEqual([false, []]);
    writeFileSync(join(former, '3', `${'0'.repeat(16)}.spool`), '');
    const found = await of('gateway-1').list();
    expect(found).toEqual([{ nodeId: 'gateway-1', dir: former, touchedAt: null }]);
    const place = (await of('gateway-1').adopt(found[0]!))!;
    locks.push(place.lock);
    expect(place.dir).toBe(former);
    await of('gateway-1').remove(former);
    expect(existsSync(former)).toBe(true);
  });
});
