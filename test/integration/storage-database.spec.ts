import { Database } from '../../apps/storage/src/database/database';
import { type Servers, startServers } from '../../tools/stack/servers';
import { eventually } from './storage-support';

const PID = { text: 'SELECT pg_backend_pid() AS pid' };

describe('storage: connections of the database', () => {
  let servers: Servers;
  let database: Database;
  let other: Database;

  beforeAll(async () => {
    servers = await startServers({ postgres: true });
    const options = { url: servers.databaseUrl, connections: 1 };
    database = new Database({ ...options, name: 'one' }, () => undefined);
    other = new Database({ ...options, name: 'other' }, () => undefined);
  }, 240_000);

  afterAll(async () => {
    await database?.close();
    await other?.close();
    await servers?.stop();
  }, 60_000);

  /** Ends a server process, and waits until it is gone. */
  async function end(pid: number): Promise<void> {
    await other.rows({ text: 'SELECT pg_terminate_backend($1)' }, [pid]);
    await eventually(async () => {
      const text = 'SELECT 1 FROM pg_stat_activity WHERE pid = $1';
      expect(await other.rows({ text }, [pid])).toEqual([]);
    });
  }

  // Without anybody listening, the event of a lost connection would end the process.
  it.each(['transaction', 'snapshot', 'session'] as const)(
    'one that is lost in a %s fails it, and nothing else',
    async (kind) => {
      const lost = (sql: Pick<Database, 'rows'>): Promise<unknown> =>
        sql.rows<{ pid: number }>(PID).then(async ([row]) => {
          await end(row!.pid);
          return sql.rows(PID);
        });
      const work = {
        transaction: () => database.transaction('', lost),
        snapshot: () => database.snapshot(lost),
        session: () => database.session(lost),
      };
      await expect(work[kind]()).rejects.toThrow(/terminat|not queryable/i);
      expect(await database.rows(PID)).toHaveLength(1);
    },
  );

  it('a snapshot gives its connection back, and neither writes nor sees what came later', async () => {
    await other.rows({ text: 'CREATE TABLE seen (n int)' });
    const count = { text: 'SELECT count(*)::int AS n FROM seen' };
    const counted = await database.snapshot(async (sql) => {
      const before = await sql.rows(count);
      await other.rows({ text: 'INSERT INTO seen VALUES (1)' });
      return [before, await sql.rows(count)];
    });
    expect(counted).toEqual([[{ n: 0 }], [{ n: 0 }]]);
    expect(await database.rows(count)).toEqual([{ n: 1 }]);
    const writing = database.snapshot((sql) => sql.rows({ text: 'INSERT INTO seen VALUES (2)' }));
    await expect(writing).rejects.toThrow(/read-only/);
    expect(await database.rows(count)).toEqual([{ n: 1 }]);
  });
});
