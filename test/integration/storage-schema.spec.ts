import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../apps/storage/src/database/data-source';
import { migrate } from '../../apps/storage/src/database/schema';
import { toolEnv } from '../../apps/storage/src/storage.env';
import { createLogger } from '@tidings/common/runtime/logger';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seed } from '../../tools/seed/seed-users';
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
  }, 60_000);

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
    await dataSource.undoLastMigration();
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
  }, 60_000);
});
