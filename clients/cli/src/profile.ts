import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SavedLogin } from '@tidings/sdk';
import { takeLockFile } from '@tidings/sdk/node';
import { knownFile, loginFile, type Known } from './memory';
import type { PrivateFile } from './private-file';

/** What this machine remembers of one user at one server. */
export interface Profile {
  deviceId: string;
  outboxPath: string;
  login: PrivateFile<SavedLogin>;
  known: PrivateFile<Known>;
  /** Removes everything but the device's id. */
  forget(): void;
  /** Lets another process use it. */
  release(): void;
}

/** The login, in the folder of a profile. */
const LOGIN_FILE = 'session.json';
/** How many programs of one user may run at once on this machine. */
const MAX_SLOTS = 9;

/** The folder for what programs remember (XDG Base Directory Specification 0.8). */
export function stateFolder(env: Record<string, string | undefined>): string {
  const base = env['XDG_STATE_HOME'];
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'state'), 'tidings');
}

/** A part of a path made from a name that somebody typed. */
function pathPart(name: string): string {
  return encodeURIComponent(name.normalize('NFKC').toLowerCase()).replace(/^\./, '%2E');
}

/** Where things are remembered of a user at a server. */
function homeOf(folder: string, server: string, username: string): string {
  return join(folder, pathPart(new URL(server).host.replace(':', '_')), pathPart(username));
}

/**
 * Takes the profile of a user at a server; a second program of the same user gets a device of its
 * own. Folders have mode 0700, files 0600.
 *
 * @throws Error with a sentence for people when nothing can be kept there
 */
export function takeProfile(folder: string, server: string, username: string): Profile {
  const home = homeOf(folder, server, username);
  for (let slot = 1; slot <= MAX_SLOTS; slot++) {
    const path = slot === 1 ? home : join(home, String(slot));
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const lock = join(path, 'lock');
      const holder = takeLockFile(lock, String(process.pid), (text) => isAlive(Number(text)));
      if (holder !== undefined) continue;
      return {
        deviceId: deviceId(join(path, 'device')),
        ...remembered(path),
        release: () => rmSync(lock, { force: true }),
      };
    } catch (error) {
      throw new Error(`Cannot keep anything in ${path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  throw new Error(`${MAX_SLOTS} programs of ${username} run already on this machine`);
}

function remembered(path: string): Pick<Profile, 'outboxPath' | 'login' | 'known' | 'forget'> {
  const outboxPath = join(path, 'outbox.jsonl');
  const login = loginFile(join(path, LOGIN_FILE));
  const known = knownFile(join(path, 'known.json'));
  const forget = (): void => {
    login.remove();
    known.remove();
    for (const file of [outboxPath, `${outboxPath}.new`]) rmSync(file, { force: true });
  };
  return { outboxPath, login, known, forget };
}

/** The file that names the user who was here last, at one server. */
function lastUserPath(folder: string, server: string): string {
  return join(folder, pathPart(new URL(server).host.replace(':', '_')), '.last-user');
}

/** Who logged in last at a server; undefined: nobody. */
export function lastUser(folder: string, server: string): string | undefined {
  const name = readText(lastUserPath(folder, server)).trim();
  return name === '' ? undefined : name;
}

/** Whether who was here last at a server is still logged in. */
export function isLoggedIn(folder: string, server: string): boolean {
  const user = lastUser(folder, server);
  return user !== undefined && existsSync(join(homeOf(folder, server, user), LOGIN_FILE));
}

/** Notes who has logged in at a server. It is a convenience: what fails does not matter. */
export function noteLastUser(folder: string, server: string, username: string): void {
  const path = lastUserPath(folder, server);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, username + '\n', { mode: 0o600 });
  } catch {
    // The name is asked for the next time.
  }
}

/** The file that names the servers that were used last. */
const SERVERS_FILE = '.last-servers';

/** The servers that were used last, the one that was named first first; none: nobody was here. */
export function keptServers(folder: string): string[] {
  const lines = readText(join(folder, SERVERS_FILE)).split('\n');
  return lines.filter((line) => /^https?:\/\//.test(line) && URL.canParse(line));
}

/** Notes which servers were used. It is a convenience: what fails does not matter. */
export function noteServers(folder: string, servers: readonly string[]): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, SERVERS_FILE), servers.join('\n') + '\n', { mode: 0o600 });
  } catch {
    // They are asked for the next time.
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

function deviceId(path: string): string {
  const kept = readText(path).trim();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(kept)) return kept;
  const made = randomUUID();
  writeFileSync(path, made + '\n', { mode: 0o600 });
  return made;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
