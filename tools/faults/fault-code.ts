import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashesOf } from '../figures/sources';
import { projectRoot } from '../stack/paths';
import { type FaultRuns, faultRuns } from './fault-runs';

const FILE = 'docs/faults/runs.json';
/** What a fault run is about: the services, the client that people use, the faults and who judges. */
const SOURCES = ['apps', 'libs/common/src', 'libs/protocol/src', 'clients/sdk/src', 'tools/load'];
const HASH_CHARACTERS = 12;

/** A hash of the code that fault runs are about. Comments and layout do not count. */
export async function faultCode(): Promise<string> {
  const hashes = await hashesOf(projectRoot(), [...SOURCES, 'test/fault']);
  return createHash('sha256')
    .update(JSON.stringify(hashes))
    .digest('hex')
    .slice(0, HASH_CHARACTERS);
}

/** The commit, short, with `+` when files have been changed since; "" without git. */
export function commitNow(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: projectRoot(), encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', `:!${FILE}`);
    return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : '+');
  } catch {
    return '';
  }
}

/** All that is kept of runs. */
export function readFaultRuns(): FaultRuns {
  const path = join(projectRoot(), FILE);
  return existsSync(path) ? faultRuns.parse(JSON.parse(readFileSync(path, 'utf8'))) : {};
}

/** Keeps them: whole or not at all. */
export function writeFaultRuns(runs: FaultRuns): void {
  const path = join(projectRoot(), FILE);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(runs, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}
