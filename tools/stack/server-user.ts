import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { openToAll } from './private-files';

/** Whom PostgreSQL runs as. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/** Kept over a reboot, unlike the temporary directory. */
const SHARED_BASE = '/var/tmp';
const POINTER = 'postgres-place';
const NOBODY = 65534;

function idOf(user: string, flag: '-u' | '-g'): number | undefined {
  const result = spawnSync('id', [flag, user], { encoding: 'utf8' });
  const id = Number(result.stdout);
  return result.status === 0 && Number.isInteger(id) && id > 0 ? id : undefined;
}

/**
 * PostgreSQL refuses to run as root: then it runs as `postgres` where that user exists, else as `nobody`.
 * Undefined: as whoever we are.
 */
export function postgresUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const name = idOf('postgres', '-u') === undefined ? 'nobody' : 'postgres';
  return { uid: idOf(name, '-u') ?? NOBODY, gid: idOf(name, '-g') ?? NOBODY };
}

/** Where PostgreSQL's programs and data lie so that its user can reach them. */
export interface PostgresPlaces {
  home: string;
  /** owned by the user, 0700; the cluster is made inside */
  data: string;
}

/** Where the stand-in for a stack directory is, when it has one: the directory keeps a pointer to it. */
function sharedPlace(dir: string): string | undefined {
  try {
    return readFileSync(join(dir, POINTER), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** PostgreSQL's cluster of a stack directory. */
export function clusterOf(dir: string): string {
  const shared = sharedPlace(dir);
  return join(shared === undefined ? join(dir, 'postgres') : join(shared, 'data'), 'cluster');
}

function makeSharedPlace(dir: string): string {
  const known = sharedPlace(dir);
  if (known !== undefined && existsSync(known)) return known;
  const made = mkdtempSync(join(SHARED_BASE, 'tidings-'));
  chmodSync(made, 0o711);
  writeFileSync(join(dir, POINTER), made, { mode: 0o600 });
  return made;
}

/**
 * Prepares the data directory: `<dir>/postgres`; but when we are root and the checkout is closed to the server's user
 * (a clone in /root), programs and data go to a folder of their own under /var/tmp.
 */
export function preparePlaces(
  dir: string,
  home: string,
  user: ServerUser | undefined,
): PostgresPlaces {
  if (user === undefined) return { home, data: ownedFolder(join(dir, 'postgres')) };
  mkdirSync(dir, { recursive: true });
  chmodSync(dir, 0o711);
  const canEnter = reaches(join(home, 'bin', 'postgres'), user) && reaches(dir, user);
  if (canEnter) return { home, data: ownedFolder(join(dir, 'postgres'), user) };
  const shared = makeSharedPlace(dir);
  return {
    home: copyOnce(home, join(shared, 'programs')),
    data: ownedFolder(join(shared, 'data'), user),
  };
}

/** Removes what `preparePlaces` put outside of the stack directory. Call it before the directory itself is removed. */
export function removeSharedPlace(dir: string): void {
  const shared = sharedPlace(dir);
  if (shared?.startsWith(join(SHARED_BASE, 'tidings-')))
    rmSync(shared, { recursive: true, force: true });
}

function ownedFolder(path: string, user?: ServerUser): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (user !== undefined) chownSync(path, user.uid, user.gid);
  chmodSync(path, 0o700);
  return path;
}

function reaches(path: string, user: ServerUser): boolean {
  return spawnSync('test', ['-x', path], { ...user, cwd: '/' }).status === 0;
}

function copyOnce(home: string, target: string): string {
  if (existsSync(target)) return target;
  const copying = `${target}.copying`;
  rmSync(copying, { recursive: true, force: true });
  cpSync(home, copying, { recursive: true, verbatimSymlinks: true });
  openToAll(copying);
  renameSync(copying, target);
  return target;
}
