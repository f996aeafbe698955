import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { Completion } from './screen';

/** A folder with more entries is completed from these many. */
const MAX_ENTRIES = 5_000;

/** A word of a command line, and what follows it. */
export interface Word {
  word: string;
  rest: string;
}

/**
 * Reads one word as shells do: `'…'` and `"…"` hold blanks, `\` keeps the next character, `~` alone
 * or before a `/` is the home folder. Null: there is none.
 */
export function readWord(text: string, home = homedir()): Word | null {
  const line = text.trimStart();
  let word = '';
  let quote = '';
  let plain = true;
  let i = 0;
  for (; i < line.length; i++) {
    const c = line[i]!;
    if (c === '\\' && quote !== "'" && i + 1 < line.length) {
      word += line[++i]!;
      if (i === 1) plain = false;
    } else if (quote !== '') {
      if (c === quote) quote = '';
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      if (i === 0) plain = false;
    } else if (/\s/u.test(c)) {
      break;
    } else {
      word += c;
    }
  }
  if (i === 0) return null;
  return { word: plain ? withHome(word, home) : word, rest: line.slice(i).trim() };
}

/**
 * Reads a path that ends the line. As it stands, when there is such a file: blanks in names need
 * no quotes then.
 */
export function readPath(text: string, home = homedir()): string | null {
  const found = readWord(text, home);
  if (!found) return null;
  const whole = withHome(text.trim(), home);
  return found.rest !== '' && (existsSync(whole) || !existsSync(found.word)) ? whole : found.word;
}

/** A path as it can be typed, so that {@link readWord} reads it. */
export function typedPath(path: string): string {
  return path.replace(/[\s"'\\]/gu, '\\$&');
}

/** What the path at the end of a line can become: names in its folder. `~` stays as it was typed. */
export function completePath(before: string, start: number, home = homedir()): Completion {
  const typed = before.slice(start);
  const word = readWord(typed, '~')?.word ?? '';
  const slash = word.lastIndexOf('/');
  const folder = word.slice(0, slash + 1);
  const begin = word.slice(slash + 1);
  try {
    const entries = readdirSync(withHome(folder === '' ? '.' : folder, home), {
      withFileTypes: true,
    });
    const names = entries
      .slice(0, MAX_ENTRIES)
      .filter(({ name }) => name.startsWith(begin) && (begin !== '' || !name.startsWith('.')))
      .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''))
      .filter((path) => !/\p{Cc}/u.test(path));
    return { start, candidates: names.sort().map(typedPath) };
  } catch {
    return { start, candidates: [] };
  }
}

/** The folder for downloads: XDG_DOWNLOAD_DIR, `~/Downloads`, or the current one. */
export function downloadFolder(
  env: Record<string, string | undefined> = process.env,
  home = homedir(),
): string {
  const named = [env['XDG_DOWNLOAD_DIR'], userDirectory(env, home), join(home, 'Downloads')];
  const found = named.find((path) => path !== undefined && isAbsolute(path) && existsSync(path));
  return found ?? process.cwd();
}

/** What the desktop has set (xdg-user-dirs). */
function userDirectory(env: Record<string, string | undefined>, home: string): string | undefined {
  try {
    const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
    const text = readFileSync(join(config, 'user-dirs.dirs'), 'utf8');
    const path = /^XDG_DOWNLOAD_DIR="(.+)"$/mu.exec(text)?.[1];
    return path?.replace(/^\$HOME(?=\/|$)/u, home);
  } catch {
    return undefined;
  }
}

function withHome(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? home + path.slice(1) : path;
}

/** The folder and the name that a path asks for; name undefined: the file's own one. */
export function targetOf(path: string, isFolder: boolean): { folder: string; name?: string } {
  if (isFolder || path.endsWith('/')) return { folder: path };
  return { folder: dirname(path), name: basename(path) };
}
