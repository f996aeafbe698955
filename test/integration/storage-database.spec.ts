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
  it.each(['transaction', 'session'] as const)(
    'one that is lost in a %s fails it, and nothing else',
    async (kind) => {
      const lost = (sql: Pick<Database, 'rows'>): Promise<unknown> =>
        sql.rows<{ pid: number }>(PID).then(async ([row]) => {
          await end(row!.pid);
          return sql.rows(PID);
        });
      const work = kind === 'session' ? database.session(lost) : database.transaction('', lost);
      await expect(work).rejects.toThrow(/terminat|not queryable/i);
      expect(await database.rows(PID)).toHaveLength(1);
    },
  );
});
