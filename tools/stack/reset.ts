import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { releaseLock, takeLock } from './lock';
import { StackError, dataDir, serversDir } from './paths';
import { removeSharedPlace } from './server-user';

/** `npm run reset`: removes the stack's data, when told so; the downloaded servers stay. */

const USAGE = 'npm run reset [-- --yes]';

/**
 * Removes everything in a data directory but the downloaded servers.
 * @throws StackError while a stack runs on it.
 */
export function reset(dir: string): void {
  if (!existsSync(dir)) return;
  alone(dir, () => {
    removeSharedPlace(dir);
    for (const path of removable(dir)) rmSync(path, { recursive: true, force: true });
  });
}

/** @throws StackError while a stack runs on the directory. */
function alone(dir: string, work: () => void): void {
  const holder = takeLock(dir);
  if (holder)
    throw new StackError(`The stack runs (process ${holder.pid}): stop it first, then reset.`);
  try {
    work();
  } finally {
    releaseLock(dir);
  }
}

/** What goes: all but the lock and the downloaded servers. */
function removable(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name !== 'lock')
    .map((name) => join(dir, name))
    .filter((path) => resolve(path) !== serversDir());
}

/** Bytes on the disk below a path. What vanishes meanwhile counts nothing. */
function bytesIn(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return found.blocks * 512;
  return readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0);
}

/** Asks at the terminal; without one only `--yes` is an answer. */
async function agreed(dir: string, bytes: number): Promise<boolean> {
  const what = `This removes all accounts, messages, files and settings in ${dir} (${Math.ceil(bytes / 1e6)} MB).`;
  if (!process.stdin.isTTY) {
    throw new StackError(`${what} Nobody can be asked here: say ${USAGE.replace(/[[\]]/g, '')}.`);
  }
  const asking = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const ended = new Promise<string>((done) => asking.once('close', () => done('')));
    const answer = await Promise.race([asking.question(`${what}\nRemove it? [y/N] `), ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}

function askedByOption(args: string[]): boolean {
  try {
    const { values } = parseArgs({ args, options: { yes: { type: 'boolean', short: 'y' } } });
    return values.yes === true;
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : error}. Usage: ${USAGE}`);
  }
}

async function main(): Promise<number> {
  const yes = askedByOption(process.argv.slice(2));
  const dir = dataDir();
  let bytes = 0;
  if (existsSync(dir)) {
    alone(dir, () => {
      bytes = removable(dir).reduce((sum, path) => sum + bytesIn(path), 0);
    });
  }
  if (bytes === 0) {
    process.stdout.write(`There is no data in ${dir}.\n`);
    return 0;
  }
  if (!yes && !(await agreed(dir, bytes))) {
    process.stdout.write('Nothing was removed.\n');
    return 1;
  }
  reset(dir);
  process.stdout.write(`The data in ${dir} is removed; the downloaded servers are kept.\n`);
  return 0;
}

if (require.main === module) {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof StackError ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
