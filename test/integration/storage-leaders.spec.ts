import { uuidv7 } from 'uuidv7';
import { Database } from '../../apps/storage/src/database/database';
import { MediaRepository } from '../../apps/storage/src/media/media.repository';
import { OutboxRepository } from '../../apps/storage/src/outbox/outbox.repository';
import { eventually } from '../support/eventually';
import { StorageFixture, type RunningStorage } from './storage-support';

interface Leader {
  node: string;
  term: string;
}

describe('the leader of storage', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let database: Database;

  const leader = async (): Promise<Leader | undefined> => {
    const rows = await fixture.rows<Leader>(
      `SELECT node_id AS node, term FROM leaders WHERE service = 'storage'`,
    );
    return rows[0];
  };
  const gauge = async ({ metrics }: RunningStorage): Promise<number> => {
    const text = await metrics.registry.metrics();
    return Number(/^tidings_storage_leader\{[^}]*\} (\d)$/m.exec(text)?.[1]);
  };

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    // Sweeps when the tests say so.
    const slow = { MEDIA_SWEEP_SECONDS: '3600' };
    one = await fixture.storage('storage-1', slow);
    two = await fixture.storage('storage-2', slow);
    const options = { url: fixture.servers.databaseUrl, name: 'test', connections: 2 };
    database = new Database(options, () => undefined);
  }, 240_000);
  afterAll(async () => {
    await database?.close();
    await fixture?.stop();
  });

  it('is one of them, with a term, as its metrics say', async () => {
    await eventually(async () => {
      const found = await leader();
      expect(['storage-1', 'storage-2']).toContain(found?.node);
      const [a, b] = [await gauge(one), await gauge(two)];
      expect([a + b, found?.node]).toEqual([1, a === 1 ? 'storage-1' : 'storage-2']);
    }, 30_000);
  });

  it('is refused its steps once another one has taken a higher term', async () => {
    await fixture.rows(
      `INSERT INTO outbox (message_id, conversation_id, version, event, due_at)
       VALUES ($1, 'c', 1, '{"broken":1}', now() - interval '1 minute')`,
      [uuidv7()],
    );
    await fixture.rows(
      `INSERT INTO media (conversation_id, id, owner_id, kind, type, size, etag, keep_until)
       VALUES ('c', $1, $1, 'file', 'x/y', 1, 'e', now() - interval '1 minute')`,
      [uuidv7()],
    );
    const { term } = (await leader())!;
    const outbox = new OutboxRepository(database);
    const media = new MediaRepository(database);
    const old = String(BigInt(term) - 1n);
    expect([await outbox.overdue(9, old), await media.beginRemovals(9, old)]).toEqual([[], []]);
    expect((await media.beginRemovals(9, term)).map((one) => one.conversationId)).toEqual(['c']);
    await fixture.rows(
      `UPDATE outbox SET due_at = now() - interval '1 minute' WHERE conversation_id = 'c'`,
    );
    expect(await outbox.overdue(9, term)).toEqual(['c']);
    await fixture.rows(`DELETE FROM outbox WHERE conversation_id = 'c'`);
  });

  it('is followed by the other one, with a higher term, when it stops', async () => {
    const before = (await leader())!;
    const [led, other] = before.node === 'storage-1' ? [one, two] : [two, one];
    await led.stop();
    await eventually(async () => {
      const now = await leader();
      expect(now?.node).toBe(other.nodeId);
      expect(BigInt(now!.term)).toBeGreaterThan(BigInt(before.term));
      expect(await gauge(other)).toBe(1);
    }, 60_000);
  });
});
