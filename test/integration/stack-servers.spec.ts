import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { DataModels, MODELS_VARIABLE } from '../../tools/stack/data-model';
import { isFree } from '../../tools/stack/ports';
import { kafkaAnswers } from '../../tools/stack/probes';
import { type Servers, startServers } from '../../tools/stack/servers';
import { removeSharedPlace } from '../../tools/stack/server-user';
import { pomVersions } from '../../tools/stack/versions';

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function select(url: string, text: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Without the models that a test run may have made. */
async function fromNothing<T>(run: () => Promise<T>): Promise<T> {
  const known = process.env[MODELS_VARIABLE];
  delete process.env[MODELS_VARIABLE];
  try {
    return await run();
  } finally {
    if (known !== undefined) process.env[MODELS_VARIABLE] = known;
  }
}

/** Files below a stack's directory that its owner is not alone to read. */
function readableByOthers(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => existsSync(path) && (statSync(path).mode & 0o077) !== 0);
}

describe('the native servers', () => {
  let dir: string;
  let servers: Servers;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-servers-'));
    servers = await fromNothing(() => startServers({ dir }));
  }, 240_000);

  afterAll(async () => {
    await servers?.stop();
    removeSharedPlace(dir);
    rmSync(dir, { recursive: true, force: true });
  });

  it('PostgreSQL answers queries, in UTF-8, only with the password', async () => {
    expect(await select(servers.databaseUrl, 'SELECT $1::text AS text', ['Grüße 👋'])).toEqual([
      { text: 'Grüße 👋' },
    ]);
    expect(await select(servers.databaseUrl, 'SHOW server_encoding')).toEqual([
      { server_encoding: 'UTF8' },
    ]);
    const wrong = new URL(servers.databaseUrl);
    wrong.password = 'wrong';
    await expect(select(wrong.href, 'SELECT 1')).rejects.toThrow(/password/);
  });

  it('are of the versions that the start names', async () => {
    const { redis, postgres } = pomVersions().servers;
    expect(await select(servers.databaseUrl, 'SHOW server_version')).toEqual([
      { server_version: postgres },
    ]);
    await withRedis(servers.redisUrl, async (client) =>
      expect(await client.info('server')).toContain(`redis_version:${redis}\r\n`),
    );
  });

  it('Redis keeps a value and never evicts', async () => {
    await withRedis(servers.redisUrl, async (redis) => {
      await redis.set('greeting', 'hello');
      expect(await redis.get('greeting')).toBe('hello');
      expect(await redis.config('GET', 'maxmemory-policy')).toEqual([
        'maxmemory-policy',
        'noeviction',
      ]);
    });
  });

  it('Redis answers only with the password, which no command line has', async () => {
    const { password, host } = new URL(servers.redisUrl);
    const refused = new Redis(`redis://${host}`, { retryStrategy: () => null });
    refused.on('error', () => undefined);
    await expect(refused.ping()).rejects.toThrow(/NOAUTH/);
    refused.disconnect();
    expect(password).toMatch(/^[\w-]{32}$/);
    for (const { pid } of [servers.redis, servers.postgres, servers.kafka]) {
      const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
      expect(stdout.length).toBeGreaterThan(10);
      for (const url of [servers.redisUrl, servers.databaseUrl]) {
        expect(stdout).not.toContain(new URL(url).password);
      }
    }
  });

  it('keep files that nobody else can read, those of an older version too', async () => {
    expect(readableByOthers(dir)).toEqual([]);
    await servers.redis.kill();
    // as they were before: open to everybody
    for (const name of ['kafka', 'redis', 'logs']) {
      for (const path of ['', ...readdirSync(join(dir, name), { recursive: true })]) {
        chmodSync(join(dir, name, String(path)), 0o755);
      }
    }
    expect(readableByOthers(dir)).not.toEqual([]);
    const again = await startServers({ dir, redis: true });
    try {
      expect(readableByOthers(dir)).toEqual([]);
      await withRedis(again.redisUrl, async (redis) =>
        expect(await redis.get('greeting')).toBe('hello'),
      );
    } finally {
      await again.stop();
    }
    await servers.redis.restart();
  });

  it('Kafka answers ApiVersions at the address it hands out', async () => {
    expect(servers.brokers).toBe(`127.0.0.1:${servers.kafka.port}`);
    expect(await kafkaAnswers(servers.kafka.port)).toBe(true);
  });

  it('keep port and data over a kill and a restart', async () => {
    await select(servers.databaseUrl, 'CREATE TABLE kept AS SELECT 42 AS value');
    const before = [servers.redis.pid, servers.postgres.pid, servers.kafka.pid];
    await Promise.all([servers.redis.kill(), servers.postgres.kill(), servers.kafka.kill()]);
    expect([servers.redis, servers.postgres, servers.kafka].map((one) => one.isAlive())).toEqual([
      false,
      false,
      false,
    ]);
    await Promise.all([
      servers.redis.restart(),
      servers.postgres.restart(),
      servers.kafka.restart(),
    ]);
    const after = [servers.redis.pid, servers.postgres.pid, servers.kafka.pid];
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    expect(await select(servers.databaseUrl, 'SELECT value FROM kept')).toEqual([{ value: 42 }]);
    await withRedis(servers.redisUrl, async (redis) => {
      expect(await redis.get('greeting')).toBe('hello');
    });
    expect(await kafkaAnswers(servers.kafka.port)).toBe(true);
  });

  it('Redis can come back empty', async () => {
    await servers.redis.restartEmpty();
    await withRedis(servers.redisUrl, async (redis) => {
      expect(await redis.dbsize()).toBe(0);
    });
  });

  it('listen on the loopback interface only', async () => {
    const ports = [servers.redis.port, servers.postgres.port, servers.kafka.port];
    const outside = await Promise.all(ports.map((port) => connects('127.0.0.2', port)));
    expect(outside).toEqual([false, false, false]);
  });

  it('leave no process and no port behind', async () => {
    const pids = [servers.redis.pid, servers.postgres.pid, servers.kafka.pid];
    const ports = [servers.redis.port, servers.postgres.port, servers.kafka.port];
    await servers.stop();
    expect(pids.filter(processExists)).toEqual([]);
    expect(await Promise.all(ports.map(isFree))).toEqual([true, true, true]);
  });
});

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const finish = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
    socket.once('timeout', () => finish(false));
  });
}

describe('servers that begin with a model', () => {
  const models = new DataModels();
  const known = process.env[MODELS_VARIABLE];
  let servers: Servers | undefined;

  afterAll(async () => {
    await servers?.stop();
    models.remove();
    if (known === undefined) delete process.env[MODELS_VARIABLE];
    else process.env[MODELS_VARIABLE] = known;
  });

  it('have its data and its password, in files of their own', async () => {
    const start = (dir?: string) => startServers({ dir, postgres: true, kafka: true });
    let password = '';
    await fromNothing(() =>
      models.make('bare', async (dir) => {
        const first = await start(dir);
        password = new URL(first.databaseUrl).password;
        await select(first.databaseUrl, 'CREATE TABLE kept AS SELECT 7 AS n');
        await first.stop();
      }),
    );
    Object.assign(process.env, models.environment);
    servers = await start();
    expect(new URL(servers.databaseUrl).password).toBe(password);
    expect(await select(servers.databaseUrl, 'UPDATE kept SET n = 8 RETURNING n')).toEqual([
      { n: 8 },
    ]);
    expect(await kafkaAnswers(servers.kafka.port)).toBe(true);
    const other = await start();
    expect(await select(other.databaseUrl, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await other.stop();
  }, 240_000);
});
