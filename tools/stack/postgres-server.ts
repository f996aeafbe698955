import { chownSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { copyFolder } from './data-model';
import { ManagedProcess } from './managed-process';
import { StackError, throwIfStopped } from './paths';
import { runProgram } from './run-program';
import { ensurePassword } from './secrets';
import type { ServerHandle, ServerOptions } from './server-handle';
import { ARCHIVE_NICENESS } from './child';
import { type PostgresPlaces, type ServerUser, postgresUser, preparePlaces } from './server-user';

/** Options of the PostgreSQL server. */
export interface PostgresOptions extends ServerOptions {
  /** directory with PostgreSQL's bin, lib and share */
  home: string;
  /** false: no fsync, for tests (survives a killed server, not a power cut) */
  durable?: boolean;
  /** A cluster to begin with a copy of, instead of making one, and its password. */
  model?: { cluster: string; password: string };
}

const READY_TIMEOUT_MS = 30_000;
const PROBE_TIMEOUT_MS = 2000;
/** Name of the role and of the database. */
const NAME = 'tidings';

/** Command line of postgres: loopback TCP only. */
function postgresArguments(options: PostgresOptions, data: string): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port: options.port,
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '256MB',
    // fewer checkpoints, whose page images cost more than the rows
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
    // its files are removed, not used again with what is in them
    wal_recycle: 'off',
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...(options.durable === false && { fsync: 'off', full_page_writes: 'off' }),
  };
  return [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/**
 * Starts PostgreSQL as a user that is not root; makes the cluster (UTF-8, password login) and the database at the
 * first start.
 * @throws StackError
 */
export async function startPostgres(options: PostgresOptions): Promise<ServerHandle> {
  const user = postgresUser();
  const places = preparePlaces(options.dir, options.home, user);
  const password = ensurePassword(join(options.dir, 'postgres-password'), options.model?.password);
  await initialise(places, password, user, options);
  const base = `postgres://${NAME}:${password}@127.0.0.1:${options.port}`;
  const server = new ManagedProcess({
    name: 'postgres',
    port: options.port,
    url: `${base}/${NAME}`,
    logPath: join(options.dir, 'logs', 'postgres.log'),
    abort: options.abort,
    onUnexpectedExit: options.onUnexpectedExit,
    readyTimeoutMs: READY_TIMEOUT_MS,
    // the children of a killed server end a moment after it
    startsLater: 'pre-existing shared memory block',
    probe: () => answersSelect(`${base}/postgres`),
    spec: () => ({
      command: join(places.home, 'bin', 'postgres'),
      args: postgresArguments(options, join(places.data, 'cluster')),
      env: { ...process.env, LC_ALL: 'C' },
      // "fast" shutdown: disconnects clients, leaves a clean cluster
      stopSignal: 'SIGINT',
      cwd: '/',
      niceness: options.durable ? ARCHIVE_NICENESS : undefined,
      ...user,
    }),
  });
  await server.start();
  try {
    await createDatabase(`${base}/postgres`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** initdb works in a folder beside the cluster, which is renamed when complete: a half-made cluster is never started. */
async function initialise(
  places: PostgresPlaces,
  password: string,
  user: ServerUser | undefined,
  { abort, model }: PostgresOptions,
): Promise<void> {
  const cluster = join(places.data, 'cluster');
  if (existsSync(join(cluster, 'PG_VERSION'))) return;
  if (model?.password === password) return copyFolder(model.cluster, cluster, abort);
  const making = join(places.data, 'making');
  const passwordFile = join(places.data, 'password');
  rmSync(making, { recursive: true, force: true });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) chownSync(passwordFile, user.uid, user.gid);
  const result = await runProgram(
    join(places.home, 'bin', 'initdb'),
    [
      '-D',
      making,
      '-U',
      NAME,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-sync',
      '--no-instructions',
    ],
    { env: { ...process.env, LC_ALL: 'C' }, cwd: '/', ...user, abort },
  );
  rmSync(passwordFile);
  throwIfStopped(abort);
  if (result.code !== 0) {
    throw new StackError(`PostgreSQL's data directory could not be made: ${result.output.trim()}`);
  }
  renameSync(making, cluster);
}

async function query(url: string, text: string): Promise<number> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: PROBE_TIMEOUT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(text)).rowCount ?? 0;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Whether `SELECT 1` works at this address. */
async function answersSelect(url: string): Promise<boolean> {
  try {
    return (await query(url, 'SELECT 1')) === 1;
  } catch {
    return false;
  }
}

async function createDatabase(url: string): Promise<void> {
  const found = await query(url, `SELECT 1 FROM pg_database WHERE datname = '${NAME}'`);
  if (found === 0) await query(url, `CREATE DATABASE ${NAME}`);
}
