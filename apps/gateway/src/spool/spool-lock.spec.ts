import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../../test/support/eventually';
import { SpoolLock, SpoolLockedError, SpoolTakenError } from './spool-lock';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lock-'));
  path = join(dir, 'lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const DEAD_PID = spawnSync(process.execPath, ['-e', '']).pid;
const lock = (over: object) =>
  writeFileSync(path, JSON.stringify({ pid: DEAD_PID, host: hostname(), began: '1', ...over }));

describe('the lock of a spool', () => {
  it('is had by one, and by the next when that one gives it back', async () => {
    const first = await SpoolLock.take(dir);
    await expect(SpoolLock.take(dir)).rejects.toThrow(SpoolLockedError);
    await first.release();
    expect(existsSync(path)).toBe(false);
    await (await SpoolLock.take(dir)).release();
  });

  it.each([
    ['of a process that has died', { pid: DEAD_PID }],
    ['of a process whose id another one has now', { pid: process.ppid, began: '1' }],
    ['of an earlier process with our id, as in a container', { pid: process.pid, began: '1' }],
    ['that nobody can read', { pid: 'x' }],
  ])('is taken over from one %s', async (_name, over) => {
    lock(over);
    const taken = await SpoolLock.take(dir);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
    await taken.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it("is one process's when many want a dead one's at once", async () => {
    lock({});
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => SpoolLock.take(dir)));
    const won = tries.filter((one) => one.status === 'fulfilled');
    expect(won).toHaveLength(1);
    await won[0]!.value.release();
  });

  it('of another machine is respected while it is touched, and taken over when not', async () => {
    lock({ host: 'elsewhere' });
    const beat = setInterval(() => utimesSync(path, new Date(), new Date()), 50);
    await expect(SpoolLock.take(dir, 600)).rejects.toThrow('on elsewhere');
    clearInterval(beat);
    await (await SpoolLock.take(dir, 600)).release();
  });

  it('tells whoever had it that another has taken it, once, and leaves it to that one', async () => {
    const hung = await SpoolLock.take(dir);
    const told = jest.fn();
    hung.onTaken(told);
    await hung.check();
    const other = await SpoolLock.replace(dir);
    await expect(hung.check()).rejects.toThrow(SpoolTakenError);
    await expect(hung.check()).rejects.toThrow(SpoolTakenError);
    expect(told).toHaveBeenCalledTimes(1);
    await hung.release();
    await other.check();
    await other.release();
    await expect(other.check()).rejects.toThrow(SpoolTakenError);
  });

  it('is missed by itself within a second, when its directory is another one now', async () => {
    const hung = await SpoolLock.take(dir);
    const told = jest.fn();
    hung.onTaken(told);
    rmSync(path);
    await eventually(() => expect(told).toHaveBeenCalledTimes(1), 5_000);
    expect(existsSync(path)).toBe(false);
  });
});
