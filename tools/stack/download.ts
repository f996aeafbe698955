import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { StackError, throwIfStopped, projectRoot, serversDir } from './paths';
import { type Platform, platformOf } from './platform';
import { openToAll } from './private-files';
import { runProgram } from './run-program';
import { type PomVersions, pomVersions, versionLine } from './versions';

/** The unpacked servers. */
export interface ServerBinaries {
  /** directory of Kafka's jars */
  kafkaLibs: string;
  /** path of redis-server */
  redisServer: string;
  /** directory with PostgreSQL's bin, lib and share */
  postgresHome: string;
}

/** Takes one line for the person at the terminal. */
export type Log = (line: string) => void;

interface Progress {
  log: Log;
  abort?: AbortSignal;
}

/** Written last into a complete folder: every file with its size in bytes. */
const MANIFEST = 'manifest.json';

/**
 * The servers of this checkout, downloaded by Maven at the first call, later taken from the folder.
 * @throws StackError with one sentence when Maven is missing, the download fails or is broken.
 */
export async function ensureServers(
  log: Log = () => undefined,
  abort?: AbortSignal,
): Promise<ServerBinaries> {
  const versions = pomVersions();
  const platform = platformOf();
  const home = join(serversDir(), folderName(versions, platform));
  const damage = existsSync(home) ? firstDamage(home) : 'absent';
  if (damage !== undefined) {
    if (damage !== 'absent') {
      log(`The unpacked servers are damaged (${damage}): fetching them again`);
      rmSync(home, { recursive: true, force: true });
    }
    await fetchServers(home, versions, platform, { log, abort });
  }
  return binariesIn(home);
}

function folderName({ packages }: PomVersions, platform: Platform): string {
  const { kafka, redis, postgres } = packages;
  return `kafka-${kafka}_redis-${redis}_postgres-${postgres}_${platform.postgres}`;
}

function binariesIn(home: string): ServerBinaries {
  return {
    kafkaLibs: join(home, 'kafka'),
    redisServer: join(home, 'redis', 'redis-server'),
    postgresHome: join(home, 'postgres'),
  };
}

async function fetchServers(
  home: string,
  versions: PomVersions,
  platform: Platform,
  { log, abort }: Progress,
): Promise<void> {
  const parent = serversDir();
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, '.unpacking-'));
  try {
    log(
      `Downloading the servers with Maven, once, about 100 MB (${versionLine(versions.servers)})`,
    );
    await runMaven(work, platform, { log, abort });
    log('Unpacking the servers');
    await unpack(work, platform);
    await checkRuns(work);
    openToAll(work);
    writeFileSync(join(work, MANIFEST), JSON.stringify(sizesIn(work)));
    publish(work, home);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The rename is atomic; whoever comes second keeps the first one's folder. */
function publish(work: string, home: string): void {
  try {
    renameSync(work, home);
  } catch (error) {
    if (!existsSync(home)) throw error;
  }
}

async function runMaven(work: string, platform: Platform, { log, abort }: Progress): Promise<void> {
  const began = Date.now();
  const ticker = setInterval(
    () => log(`  still downloading (${Math.round((Date.now() - began) / 1000)} s)`),
    15_000,
  );
  const pom = join(projectRoot(), 'tools', 'stack', 'pom.xml');
  try {
    const result = await runProgram(
      'mvn',
      [
        '-q',
        '-B',
        '-C',
        '-f',
        pom,
        'generate-resources',
        `-Dservers.dir=${work}`,
        `-Dpostgres.platform=${platform.postgres}`,
      ],
      { abort },
    );
    throwIfStopped(abort);
    if (result.code !== 0) throw new StackError(mavenFailure(result.output));
  } finally {
    clearInterval(ticker);
  }
}

/** One sentence for a failed Maven run, from its output. */
export function mavenFailure(output: string): string {
  const lines = stripVTControlCharacters(output).split('\n');
  const reason = lines.find((line) => line.startsWith('[ERROR] ')) ?? lines[0] ?? '';
  const short = reason
    .replace(/^\[ERROR\] /, '')
    .replace(/ -> \[Help.*$/, '')
    .slice(0, 400);
  const broken = /checksum|zip|corrupt|unexpected end|premature/i.test(output);
  return broken
    ? `The download of the servers is broken (${short}): delete the named artifact under ~/.m2/repository and run this again.`
    : `Maven could not download the servers (${short}): check the network and Maven's settings.xml, then run this again.`;
}

async function unpack(work: string, platform: Platform): Promise<void> {
  const redis = only(join(work, 'redis'), (name) => name.endsWith(platform.redis));
  renameSync(redis, join(work, 'redis', 'redis-server'));
  for (const name of readdirSync(join(work, 'redis'))) {
    if (name !== 'redis-server') rmSync(join(work, 'redis', name));
  }
  chmodSync(join(work, 'redis', 'redis-server'), 0o755);
  const archive = only(join(work, 'postgres'), (name) => name.endsWith('.txz'));
  const result = await runProgram('tar', ['-xJf', archive, '-C', join(work, 'postgres')]);
  if (result.code !== 0) {
    const advice = /xz.*(not found|no such file|cannot exec)/i.test(result.output)
      ? 'install xz (package xz-utils) and run this again'
      : 'run this again';
    throw new StackError(
      `PostgreSQL's archive ${basename(archive)} could not be unpacked: ${advice}.`,
    );
  }
  rmSync(archive);
  rmSync(join(work, 'markers'), { recursive: true, force: true });
}

function only(dir: string, wanted: (name: string) => boolean): string {
  const name = readdirSync(dir).find(wanted);
  if (name === undefined) {
    throw new StackError(
      `The downloaded package for ${basename(dir)} does not hold what this machine needs.`,
    );
  }
  return join(dir, name);
}

async function checkRuns(work: string): Promise<void> {
  const { redisServer, postgresHome, kafkaLibs } = binariesIn(work);
  for (const program of [redisServer, join(postgresHome, 'bin', 'postgres')]) {
    const result = await runProgram(program, ['--version']);
    if (result.code !== 0) {
      const reason = result.output.trim().split('\n')[0] ?? '';
      throw new StackError(`The downloaded ${basename(program)} does not run here: ${reason}.`);
    }
  }
  if (!readdirSync(kafkaLibs).some((name) => /^kafka_2\.13-.*\.jar$/.test(name))) {
    throw new StackError('The download of Kafka is incomplete: run this again.');
  }
}

function sizesIn(home: string): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    sizes[relative(home, path)] = statSync(path).size;
  }
  return sizes;
}

/** What is wrong with an unpacked folder; undefined when every file has the size it had. */
function firstDamage(home: string): string | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(home, MANIFEST), 'utf8'));
    if (typeof manifest !== 'object' || manifest === null) return 'manifest unreadable';
    for (const [name, size] of Object.entries(manifest)) {
      const found = statSync(join(home, name), { throwIfNoEntry: false });
      if (found?.size !== size) return `${name} ${found ? 'has another size' : 'is missing'}`;
    }
    return undefined;
  } catch {
    return 'manifest unreadable';
  }
}
