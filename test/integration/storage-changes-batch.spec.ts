import fc from 'fast-check';
import { TOPICS } from '@tidings/common/log-events/topics';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { uuidv7 } from 'uuidv7';
import { Database } from '../../apps/storage/src/database/database';
import { LogState } from '../../apps/storage/src/log/log-state';
import { BatchRepository } from '../../apps/storage/src/messages/batch.repository';
import { decodeEntry, type LogItem } from '../../apps/storage/src/messages/record-decoder';
import { changedRecord, messageIdOf, sentRecord } from '../../apps/storage/testing/records';
import { PARTITIONS, StorageFixture } from './storage-support';

const SENDER = '01890a5d-ac96-774b-bcce-b302099a8057';

describe('storage: changes in the batch function', () => {
  let fixture: StorageFixture;
  let database: Database;
  let batches: BatchRepository;
  let next = 0n;
  const bases = Array.from({ length: PARTITIONS }, () => 1n);
  const log = new LogState(TOPICS.messages, 1, bases);

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    const options = { url: fixture.servers.databaseUrl, name: 'test', connections: 2 };
    database = new Database(options, () => undefined);
    batches = new BatchRepository(database, log);
  }, 240_000);

  afterAll(async () => {
    await database?.close();
    await fixture?.stop();
  });

  /** A conversation in partition 0. */
  const conversation = async (): Promise<string> => {
    for (;;) {
      const id = `changes-${uuidv7()}`;
      if (partitionOf(id, PARTITIONS) !== 0) continue;
      await fixture.rows(
        `INSERT INTO conversations (id, kind, created_at, created_by, version, partition, last_at)
         VALUES ($1, 'direct', now(), $2, 1, 0, '2020-01-01T00:00:00Z')`,
        [id, SENDER],
      );
      return id;
    }
  };

  /** What one record does; numbers name messages and changes. */
  type Step =
    | { what: 'send'; message: number }
    | { what: 'edit' | 'delete'; message: number; change: number };

  const itemsOf = (conversationId: string, steps: readonly Step[]): LogItem[] => {
    const placed = new Map<number, bigint>();
    return steps.map((step, i) => {
      const offset = next + BigInt(i);
      const messageId = messageIdOf(step.message);
      if (step.what === 'send' && !placed.has(step.message)) placed.set(step.message, offset + 1n);
      const position = String(placed.get(step.message) ?? 0n);
      const content =
        step.what === 'delete' ? { kind: 'deleted' } : { kind: 'text', text: `${step.what} ${i}` };
      const value = { conversationId, messageId, content };
      const record =
        step.what === 'send'
          ? sentRecord(offset, { ...value, meta: { n: i } })
          : changedRecord(offset, {
              ...value,
              position,
              changeId: messageIdOf(500_000 + step.change),
            });
      const decoded = decodeEntry(record, log);
      if (decoded.kind === 'entry') return decoded.entry;
      if (decoded.kind === 'change') return decoded.change;
      throw new Error(JSON.stringify(decoded));
    });
  };

  /** Applies items in batches of `size`; each batch twice when `replayed`, as after a crash. */
  const apply = async (items: readonly LogItem[], size: number): Promise<void> => {
    for (let i = 0; i < items.length; i += size) {
      const batch = items.slice(i, i + size);
      const end = next + BigInt(batch.length);
      expect(await batches.apply(0, next, end, batch)).not.toBeNull();
      expect(await batches.apply(0, next, end, batch)).toBeNull();
      next = end;
    }
  };

  interface Row {
    message_id: string;
    position: string;
    version: string;
    deleted: boolean;
    content: string | null;
    extras: string | null;
    content_hash: string | null;
  }

  const rowsOf = (id: string): Promise<Row[]> =>
    fixture.rows<Row>(
      `SELECT message_id, position, version, deleted, content, extras, content_hash
       FROM messages WHERE conversation_id = $1 ORDER BY position`,
      [id],
    );

  /** State of a conversation, with positions counted from where it began. */
  const stateOf = async (id: string, began: bigint) => {
    const [row] = await fixture.rows<{ last_position: string }>(
      'SELECT last_position FROM conversations WHERE id = $1',
      [id],
    );
    const changes = await fixture.rows<{ change_id: string; position: string; hash: string }>(
      'SELECT change_id, position, hash FROM changes WHERE conversation_id = $1 ORDER BY position',
      [id],
    );
    const from = (position: string): number => Number(BigInt(position) - began);
    return {
      last: from(row!.last_position),
      messages: (await rowsOf(id)).map((m) => ({
        ...m,
        position: from(m.position),
        version: m.version === '0' ? 0 : from(m.version),
      })),
      changes: changes.map((c) => ({ ...c, position: from(c.position) })),
    };
  };

  /** What must come out, by the rules of docs/PROTOCOL.md. */
  const expected = (steps: readonly Step[]) => {
    const messages = new Map<number, { at: number; version: number; text: string | null }>();
    const seen = new Set<number>();
    let last = -1;
    steps.forEach((step, i) => {
      const held = messages.get(step.message);
      if (step.what === 'send') {
        if (held) return;
        messages.set(step.message, { at: i + 1, version: 0, text: `send ${i}` });
      } else {
        if (seen.has(step.change)) return;
        seen.add(step.change);
        if (held && held.text !== null) {
          held.version = i + 1;
          held.text = step.what === 'delete' ? null : `edit ${i}`;
        }
      }
      last = i + 1;
    });
    return { last, messages: [...messages.values()] };
  };

  const message = fc.nat(3);
  const change = fc.nat(8);
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ what: fc.constant('send' as const), message }) },
    { weight: 4, arbitrary: fc.record({ what: fc.constant('edit' as const), message, change }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('delete' as const), message, change }) },
  );

  it('come out the same, however the log is cut into batches', async () => {
    const scripts = fc.array(step, { minLength: 1, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(scripts, fc.integer({ min: 2, max: 5 }), async (steps, size) => {
        const wanted = expected(steps);
        const states = [];
        for (const batch of [steps.length, 1, size]) {
          const id = await conversation();
          const began = next;
          await apply(itemsOf(id, steps), batch);
          states.push(await stateOf(id, began));
        }
        for (const state of states) {
          expect(state).toEqual(states[0]);
          expect(
            state.messages.map(({ position, version, content }) => [
              position,
              version,
              content && (JSON.parse(content) as { text: string }).text,
            ]),
          ).toEqual(wanted.messages.map(({ at, version, text }) => [at, version, text]));
          for (const m of state.messages) {
            expect(m.deleted).toBe(m.content === null);
            expect([m.extras === null, m.content_hash === null]).toEqual([m.deleted, m.deleted]);
          }
          if (wanted.last > 0) expect(state.last).toBe(wanted.last);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('a deletion takes the hashes of earlier edits along', async () => {
    const id = await conversation();
    const began = next;
    const steps: Step[] = [
      { what: 'send', message: 1 },
      { what: 'send', message: 2 },
      { what: 'edit', message: 1, change: 1 },
      { what: 'edit', message: 2, change: 2 },
      { what: 'delete', message: 1, change: 3 },
    ];
    await apply(itemsOf(id, steps), 1);
    const { changes } = await stateOf(id, began);
    expect(changes.map((c) => c.hash === null)).toEqual([true, false, true]);
  });

  it('move neither the time of the last entry nor an event', async () => {
    const id = await conversation();
    await apply(itemsOf(id, [{ what: 'send', message: 1 }]), 1);
    const time = () => fixture.rows('SELECT last_at FROM conversations WHERE id = $1', [id]);
    const before = await time();
    await fixture.rows(`UPDATE messages SET kind = 'event' WHERE conversation_id = $1`, [id]);
    await apply(itemsOf(id, [{ what: 'delete', message: 1, change: 1 }]), 1);
    expect(await time()).toEqual(before);
    expect(await rowsOf(id)).toMatchObject([{ version: '0', deleted: false }]);
  });
});
