import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from './managed-process';
import { redisAnswers } from './probes';
import { ensurePassword } from './secrets';
import type { ServerHandle, ServerOptions } from './server-handle';

/** Options of the Redis server. */
export interface RedisOptions extends ServerOptions {
  /** path of redis-server */
  program: string;
  /** false: nothing on disk, a restart comes back empty */
  persistent?: boolean;
}

/** Redis, which can also come back with nothing in it. */
export interface RedisHandle extends ServerHandle {
  /** Kills it, removes its data and starts it again, empty, on the same port. */
  restartEmpty(): Promise<void>;
}

const READY_TIMEOUT_MS = 15_000;

class RedisServer extends ManagedProcess implements RedisHandle {
  private readonly config: string;

  constructor(private readonly options: RedisOptions) {
    const password = ensurePassword(join(options.dir, 'redis-password'));
    super({
      name: 'redis',
      port: options.port,
      url: `redis://:${password}@127.0.0.1:${options.port}`,
      logPath: join(options.dir, 'logs', 'redis.log'),
      abort: options.abort,
      onUnexpectedExit: options.onUnexpectedExit,
      readyTimeoutMs: READY_TIMEOUT_MS,
      probe: () => redisAnswers(options.port, password),
      spec: () => ({
        command: options.program,
        args: redisArguments(options),
        env: process.env,
        stopSignal: 'SIGTERM',
      }),
    });
    this.config = `requirepass ${password}\n`;
  }

  override async start(): Promise<void> {
    mkdirSync(dataOf(this.options), { recursive: true, mode: 0o700 });
    writeFileSync(configOf(this.options), this.config, { mode: 0o600 });
    await super.start();
  }

  async restartEmpty(): Promise<void> {
    await this.kill();
    rmSync(dataOf(this.options), { recursive: true, force: true });
    await this.start();
  }
}

/** Command lines can be read by everybody on the machine: what is secret stands in a file. */
function configOf(options: RedisOptions): string {
  return join(options.dir, 'redis.conf');
}

function dataOf(options: RedisOptions): string {
  return join(options.dir, 'redis');
}

/** Command line of redis-server: loopback only, append-only file unless told otherwise, never evicts. */
function redisArguments(options: RedisOptions): string[] {
  return [
    configOf(options),
    '--port',
    String(options.port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dataOf(options),
    '--save',
    '',
    '--appendonly',
    options.persistent === false ? 'no' : 'yes',
    '--maxmemory-policy',
    'noeviction',
    '--daemonize',
    'no',
  ];
}

/**
 * Starts Redis.
 * @throws StackError
 */
export async function startRedis(options: RedisOptions): Promise<RedisHandle> {
  const server = new RedisServer(options);
  await server.start();
  return server;
}
