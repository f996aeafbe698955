import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../apps/storage/src/database/data-source';
import { migrate } from '../../apps/storage/src/database/schema';
import { seed } from '../../apps/storage/src/seed/seed-users';
import { toolEnv } from '../../apps/storage/src/storage.env';
import { createLogger } from '@tidings/common/runtime/logger';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    for (let i = 0; i < dataSource.migrations.length; i++) await dataSource.undoLastMigration();
    const left = await dataSource.query<unknown[]>(
      `SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE nspname = 'public' AND relkind IN ('r', 'p', 'S') AND relname NOT LIKE 'storage_migr%'`,
    );
    expect(left).toEqual([]);
    await migrate(dataSource);
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
          ...{ userId: expect.any(String), deviceId: expect.any(String) },
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
