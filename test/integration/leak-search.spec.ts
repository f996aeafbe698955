import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisClient } from '@tidings/common/redis/client';
import { Client } from 'pg';
import { startServers, type Servers } from '../../tools/stack/servers';
import {
  filesHolding,
  redisKeysHolding,
  searchedRedis,
  tablesHolding,
} from '../support/leak-search';

const CANARY = 'canary-01890a5d';
const MIB = 1024 * 1024;

describe('the search for what should be gone', () => {
  let servers: Servers;
  let sql: Client;
  let redis: RedisClient;
  let dir: string;

  beforeAll(async () => {
    servers = await startServers({ redis: true, postgres: true });
    sql = new Client({ connectionString: servers.databaseUrl });
    await sql.connect();
    redis = await searchedRedis(servers.redisUrl);
  }, 240_000);

  afterAll(async () => {
    redis?.disconnect();
    await sql?.end();
    await servers?.stop();
  });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-search-'));
    mkdirSync(join(dir, 'below'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it.each([0, 1, 4 * MIB - 7, 4 * MIB, 9 * MIB])(
    'finds a text that begins at byte %d of a file',
    (at) => {
      const path = join(dir, 'below', 'large');
      writeFileSync(path, Buffer.concat([Buffer.alloc(at), Buffer.from(`${CANARY}…`)]));
      expect(filesHolding(dir, CANARY)).toEqual([path]);
    },
  );

  it('finds nothing in other files, and in a directory that is not there', () => {
    writeFileSync(join(dir, 'other'), CANARY.slice(0, -1));
    writeFileSync(join(dir, 'empty'), '');
    expect(filesHolding(dir, CANARY)).toEqual([]);
    expect(filesHolding(join(dir, 'missing'), CANARY)).toEqual([]);
  });

  it('finds a text in any column of any schema, also in bytes', async () => {
    await sql.query(`CREATE SCHEMA "Other"; CREATE TABLE "Other"."Odd name" (n int, b bytea);
      CREATE TABLE plain (n int, t text); CREATE TABLE rich (j jsonb, u uuid[], a text[])`);
    await sql.query('INSERT INTO plain VALUES (1, $1)', [CANARY.slice(1)]);
    expect(await tablesHolding(sql, CANARY)).toEqual([]);
    await sql.query('INSERT INTO plain VALUES (2, $1)', [`a ${CANARY}!`]);
    await sql.query('INSERT INTO rich (a) VALUES ($1)', [['x', CANARY]]);
    await sql.query('INSERT INTO "Other"."Odd name" VALUES (1, $1)', [Buffer.from(`-${CANARY}-`)]);
    expect((await tablesHolding(sql, CANARY)).sort()).toEqual([
      '"Other"."Odd name"',
      'public.plain',
      'public.rich',
    ]);
  });

  it('finds a text in Redis values of all types', async () => {
    await redis.set('string', `x${CANARY}`);
    await redis.hset('hash', 'field', CANARY);
    await redis.rpush('list', 'a', CANARY);
    await redis.sadd('set', CANARY);
    await redis.zadd('sorted', 1, CANARY);
    await redis.xadd('stream', '1-0', 'field', Buffer.from(`\0${CANARY}\xff`, 'latin1'));
    await redis.set(`named:${CANARY}`, '');
    await redis.set('other', CANARY.slice(1));
    expect((await redisKeysHolding(redis, CANARY)).sort()).toEqual([
      'hash hash',
      'list list',
      'set set',
      'stream stream',
      `string named:${CANARY}`,
      'string string',
      'zset sorted',
    ]);
  });
});
