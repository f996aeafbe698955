import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../apps/storage/src/data-source';
import { hasFunctions, installFunctions } from '../../apps/storage/src/database/install-functions';
import { checkSchema, migrate } from '../../apps/storage/src/database/schema';
import { sqlFunction, type SqlFunction } from '../../apps/storage/src/database/sql-function';
import { APPLY_LOG_BATCHES } from '../../apps/storage/src/messages/apply-log-batches.sql';
import { toolEnv } from '../../apps/storage/src/storage.env';
import { createLogger } from '@tidings/common/runtime/logger';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seed } from '../../tools/seed/seed-users';
import { projectRoot } from '../../tools/stack/paths';
import { type Servers, startServers } from '../../tools/stack/servers';

describe('storage: schema', () => {
  let servers: Servers;
  let dataSource: DataSource;

  beforeAll(async () => {
    servers = await startServers({ postgres: true });
    dataSource = new DataSource(dataSourceOptions(servers.databaseUrl, 'test'));
    await dataSource.initialize();
  }, 240_000);

  afterAll(async () => {
    await dataSource?.destroy();
    await servers?.stop();
  });

  it('is made once, by whoever comes first', async () => {
    const others = ['a', 'b'].map((name) => dataSourceOptions(servers.databaseUrl, name));
    const all = [dataSource, ...others.map((options) => new DataSource(options))];
    await Promise.all(all.slice(1).map((one) => one.initialize()));
    await Promise.all(all.map(migrate));
    await Promise.all(all.slice(1).map((one) => one.destroy()));
    expect(await dataSource.showMigrations()).toBe(false);
  });

  it('is what the entities say', async () => {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map((query) => query.query)).toEqual([]);
  });

  it('is what docs/TABLES.md says', async () => {
    const page = readFileSync(join(projectRoot(), 'docs', 'TABLES.md'), 'utf8');
    const described = page.split(/^## /m).flatMap((section) => {
      const table = /^`(\w+)`/.exec(section)?.[1];
      const rows = section.matchAll(/^\| `(\w+)`(?: \(key\))? \| (\w+) \| (yes|no) \|/gm);
      return [...rows].map(([, column, type, null_]) => `${table}.${column} ${type} ${null_}`);
    });
    const columns = await dataSource.query<{ line: string }[]>(
      `SELECT c.relname || '.' || a.attname || ' '
          || replace(format_type(a.atttypid, -1), 'timestamp with time zone', 'timestamptz')
          || CASE WHEN a.attnotnull THEN ' no' ELSE ' yes' END AS line
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND c.relname <> 'storage_migrations'`,
    );
    expect(described.toSorted()).toEqual(columns.map(({ line }) => line).toSorted());
  });

  it('can be taken back and made again', async () => {
    for (let left = dataSource.migrations.length; left > 0; left--) {
      await dataSource.undoLastMigration();
    }
    const relations = await dataSource.query<unknown[]>(
      `SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE nspname = 'public' AND relkind IN ('r', 'p', 'S') AND relname NOT LIKE 'storage_migr%'`,
    );
    expect(relations).toEqual([]);
    await migrate(dataSource);
  });

  it('has the functions that this version calls, beside those of other versions for a month', async () => {
    const sum = (by: number) => `(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b + ${by}'`;
    const [old, fresh] = [sqlFunction('test_sum', sum(0)), sqlFunction('test_sum', sum(1))];
    const install = (...functions: SqlFunction[]) => installFunctions(dataSource, functions);
    const call = async (name: string) => {
      const [row] = await dataSource.query<{ sum: number }[]>(`SELECT ${name}(1, 2) AS sum`);
      return row!.sum;
    };
    const age = (name: string, days: number) =>
      dataSource.query(
        `COMMENT ON FUNCTION ${name} IS 'superseded ${new Date(Date.now() - days * 86_400_000).toISOString()}'`,
      );
    // as the releases before had it
    await dataSource.query(`CREATE FUNCTION test_sum${sum(-1)}`);
    expect(await hasFunctions(dataSource, [old])).toBe(false);
    await install(old);
    await install(fresh);
    expect(await hasFunctions(dataSource, [old, fresh])).toBe(true);
    expect([await call('test_sum'), await call(old.name), await call(fresh.name)]).toEqual([
      2, 3, 4,
    ]);

    // The older release comes back for a while: its function is nobody's leftover.
    await age('test_sum', 31);
    await age(old.name, 31);
    await install(old);
    await expect(call('test_sum')).rejects.toThrow('does not exist');
    await install(fresh);
    expect([await call(old.name), await call(fresh.name)]).toEqual([3, 4]);
    await age(old.name, 29);
    await install(fresh);
    expect(await call(old.name)).toBe(3);
    await age(old.name, 31);
    await install(fresh);
    await expect(call(old.name)).rejects.toThrow('does not exist');
    await dataSource.query(`DROP FUNCTION ${fresh.name}`);
  });

  it('of the last release is brought up to date, and its services go on meanwhile', async () => {
    const { name, create } = APPLY_LOG_BATCHES;
    const nothing = `NULL, NULL, '{}', '{}', '{}', ${Array(17).fill('NULL').join(', ')}`;
    await dataSource.query(`DROP FUNCTION ${name}`);
    await dataSource.query(create.replace(name, 'apply_log_batches'));
    await expect(checkSchema(dataSource)).rejects.toThrow('run the prepare command');
    const others = ['a', 'b'].map((of) => dataSourceOptions(servers.databaseUrl, of));
    const all = others.map((options) => new DataSource(options));
    await Promise.all(all.map((one) => one.initialize()));
    await Promise.all(all.map(migrate));
    await Promise.all(all.map((one) => one.destroy()));
    await checkSchema(dataSource);
    for (const one of [name, 'apply_log_batches']) {
      const rows = await dataSource.query<unknown[]>(`SELECT applied FROM ${one}(${nothing})`);
      expect(rows).toEqual([{ applied: true }]);
    }
  });

  it('has no samples of what people wrote in its statistics, and forgets those it had', async () => {
    const samples = () =>
      dataSource.query<unknown[]>(
        `SELECT tablename, attname, most_common_vals FROM pg_stats
         WHERE tablename ~ '^(messages|changes|outbox)'
           AND attname IN ('content', 'extras', 'content_hash', 'hash', 'event')`,
      );
    const write = (from: number) =>
      dataSource.query(
        `INSERT INTO messages (conversation_id, message_id, position, sender_id, sent_at, kind,
           content_hash, content)
         SELECT 'sampled', gen_random_uuid(), $1::int + n, gen_random_uuid(), now(), 'text', 'h', 'secret'
         FROM generate_series(1, 500) n`,
        [from],
      );
    const names = dataSource.migrations.map((migration) => migration.constructor.name);
    const at = names.findIndex((name) => name.startsWith('NoSamples'));
    expect(at).toBeGreaterThan(0);
    for (let left = names.length - at; left > 0; left--) await dataSource.undoLastMigration();
    await write(0);
    await dataSource.query('ANALYZE messages');
    expect(JSON.stringify(await samples())).toContain('secret');
    await migrate(dataSource);
    expect(await samples()).toEqual([]);
    await write(1_000);
    await dataSource.query('ANALYZE messages');
    expect(await samples()).toEqual([]);
    await dataSource.query(`DELETE FROM messages WHERE conversation_id = 'sampled'`);
  });

  it('takes seeded users, the same ones when asked again', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tidings-seed-'));
    const out = join(dir, 'users.json');
    const env = toolEnv.parse({ KAFKA_BROKERS: 'none:1', DATABASE_URL: servers.databaseUrl });
    const logger = createLogger({ service: 'test', nodeId: 'test', level: 'silent' });
    const run = async (users: number, nodeEnv = env): Promise<{ userId: string }[]> => {
      await seed(nodeEnv, ['--users', `${users}`, '--prefix', 'load', '--out', out], logger);
      return JSON.parse(readFileSync(out, 'utf8')) as { userId: string }[];
    };
    try {
      const first = await run(3);
      expect(first).toEqual(
        [0, 1, 2].map((n) => ({
          userId: expect.any(String),
          deviceId: expect.any(String),
          username: `load-00000${n}`,
        })),
      );
      expect((await run(5)).slice(0, 3)).toEqual(first);
      const generations = await dataSource.query<{ n: string }[]>(
        `SELECT count(*) AS n FROM devices WHERE session_generation = 1 AND logged_in`,
      );
      expect(generations).toEqual([{ n: '5' }]);
      await expect(run(1, { ...env, NODE_ENV: 'production' })).rejects.toThrow(/production/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
