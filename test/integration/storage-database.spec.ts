import fc from 'fast-check';
import { Database } from '../../apps/storage/src/database/database';
import {
  messageColumns,
  messageJson,
  type MessageRow,
  toMessage,
} from '../../apps/storage/src/messages/message.mapper';
import { type Servers, startServers } from '../../tools/stack/servers';
import { eventually } from '../support/eventually';

const PID = { text: 'SELECT pg_backend_pid() AS pid' };

const when = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') });
const row: fc.Arbitrary<MessageRow> = fc.record({
  conversation_id: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
  message_id: fc.uuid(),
  position: fc.bigInt({ min: 1n, max: 2n ** 62n }).map(String),
  version: fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String),
  sender_id: fc.uuid(),
  sent_at: when,
  expires_at: fc.option(when),
  deleted: fc.boolean(),
  content: fc.option(
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify({ kind: 'text', text })),
  ),
  extras: fc.option(
    fc
      .record({ replyTo: fc.uuid(), meta: fc.jsonValue() }, { requiredKeys: [] })
      .map((extras) => JSON.stringify(extras)),
  ),
});
const rows = fc.array(row, { minLength: 1, maxLength: 50 });
const ROWS = `unnest($1::text[], $2::uuid[], $3::int8[], $4::int8[], $5::uuid[], $6::timestamptz[],
    $7::timestamptz[], $8::boolean[], $9::text[], $10::text[]) WITH ORDINALITY
  AS t (conversation_id, message_id, position, version, sender_id, sent_at, expires_at, deleted,
    content, extras, n)`;

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
  });

  /** Ends a server process, and waits until it is gone. */
  async function end(pid: number): Promise<void> {
    await other.rows({ text: 'SELECT pg_terminate_backend($1)' }, [pid]);
    await eventually(async () => {
      const text = 'SELECT 1 FROM pg_stat_activity WHERE pid = $1';
      expect(await other.rows({ text }, [pid])).toEqual([]);
    });
  }

  // Without anybody listening, the event of a lost connection would end the process.
  it.each(['transaction', 'snapshot', 'onConnection'] as const)(
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
        onConnection: () => database.onConnection(lost),
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

  it('writes a message as JSON text as it reads it from columns', async () => {
    const statement = {
      name: 'texts',
      text: `SELECT ${messageColumns('t')}, ${messageJson('t')} AS text FROM ${ROWS} ORDER BY n`,
    };
    await fc.assert(
      fc.asyncProperty(rows, async (list) => {
        const columns = Object.keys(list[0]!) as (keyof MessageRow)[];
        const values = columns.map((column) => list.map((one) => one[column]));
        const found = await database.rows<MessageRow & { text: string }>(statement, values);
        expect(found).toHaveLength(list.length);
        for (const { text, ...columnsOfIt } of found) {
          expect(text).toBe(JSON.stringify({ ...toMessage(columnsOfIt) }));
        }
      }),
    );
  });

  it('statements of a snapshot that are given in one turn travel together, also when one fails', async () => {
    const both = await database.snapshot((sql) =>
      Promise.all([sql.rows({ text: 'SELECT 1 AS n' }), sql.rows({ text: 'SELECT 2 AS n' })]),
    );
    expect(both).toEqual([[{ n: 1 }], [{ n: 2 }]]);
    const failing = database.snapshot((sql) =>
      Promise.all([sql.rows({ text: 'SELECT 1 / 0' }), sql.rows({ text: 'SELECT 2' })]),
    );
    await expect(failing).rejects.toThrow(/division by zero/);
    expect(await database.rows(PID)).toHaveLength(1);
  });
});
