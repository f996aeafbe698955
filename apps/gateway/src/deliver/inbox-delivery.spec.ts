import { encodeInbox, type InboxItem } from '@tidings/common/redis/inbox-codec';
import { ConnectionTable } from '../socket/connection-table';
import { WriteQueue } from '../socket/write-queue';
import { fakeConnection } from '../testing/fake-connection';
import { InboxDelivery } from './inbox-delivery';

const NOW_MS = 1_000_000;

function setUp(ids: string[]) {
  const table = new ConnectionTable();
  const fakes = ids.map((id) => fakeConnection({ id }));
  for (const { connection } of fakes) {
    connection.welcomed = true;
    table.add(connection);
  }
  const closes: unknown[] = [];
  const changes: unknown[] = [];
  const failures: unknown[] = [];
  const asked: string[][] = [];
  const told: unknown[] = [];
  const delivery = new InboxDelivery({
    table,
    writes: new WriteQueue({ overflow: jest.fn() }),
    close: (connection, code, reason) => closes.push([connection.id, code, reason]),
    failed: (connection, error) => failures.push([connection.id, error]),
    mayShow: (viewerId, userId) => {
      asked.push([viewerId, userId]);
      return Promise.resolve(userId === 'seen');
    },
    conversationChanged: (id) => changes.push([id, fakes[0]!.frames.length]),
    wallClock: () => NOW_MS,
    watches: { changed: (one) => told.push(one), judgeAgain: (userId) => told.push(userId) },
  });
  return { delivery, fakes, closes, changes, failures, asked, told };
}

describe('InboxDelivery', () => {
  it('writes frames to the connections that they name, in order, and skips the rest', () => {
    const { delivery, fakes } = setUp(['a', 'b']);
    const payload = encodeInbox([
      { kind: 'push', connections: ['a', 'gone', 'b'], frame: '{"n":1}' },
      { kind: 'push', connections: ['b'], frame: '{"n":2}' },
    ]);
    delivery.take(Buffer.from(payload));
    expect(fakes.map((f) => f.frames)).toEqual([['{"n":1}'], ['{"n":1}', '{"n":2}']]);
    expect([delivery.delivered, delivery.missed, delivery.skipped]).toEqual([3, 1, 0]);
  });

  it('shows what tells of a presence to who may see it, and is still there', async () => {
    const { delivery, fakes, asked } = setUp(['a', 'b']);
    const of = (who: string, frame: string): InboxItem => ({
      kind: 'tells',
      of: who,
      connections: ['a', 'gone', 'b'],
      frame,
    });
    delivery.take(Buffer.from(encodeInbox([of('hidden', '{"n":1}'), of('seen', '{"n":2}')])));
    fakes[1]!.connection.ended = true;
    await new Promise(setImmediate);
    expect(fakes.map((f) => f.frames)).toEqual([['{"n":2}'], []]);
    const { userId } = fakes[0]!.connection;
    expect(asked).toContainEqual([userId, 'hidden']);
    expect([delivery.delivered, delivery.missed]).toEqual([1, 2]);
  });

  it('writes nothing of what is over by then', () => {
    const { delivery, fakes } = setUp(['a', 'b']);
    const ends = [NOW_MS + 1, NOW_MS, NOW_MS - 1, undefined];
    const items = ends.map((untilMs, n): InboxItem => {
      return { kind: 'push', connections: ['a', 'b'], frame: `{"n":${n}}`, untilMs };
    });
    delivery.take(Buffer.from(encodeInbox(items)));
    for (const { frames } of fakes) expect(frames).toEqual(['{"n":0}', '{"n":3}']);
    expect([delivery.delivered, delivery.expired, delivery.skipped]).toEqual([4, 4, 0]);
  });

  it('gives the others their frame when one socket cannot be written to', () => {
    const { delivery, fakes, failures } = setUp(['a', 'b', 'c']);
    const defect = new Error('a defect');
    fakes[1]!.raw.write = () => {
      throw defect;
    };
    const payload = encodeInbox([
      { kind: 'push', connections: ['a', 'b', 'c'], frame: '{"n":1}' },
      { kind: 'push', connections: ['c'], frame: '{"n":2}' },
    ]);
    delivery.take(Buffer.from(payload));
    expect(failures).toEqual([['b', defect]]);
    expect(fakes[0]!.frames).toEqual(['{"n":1}']);
    expect(fakes[2]!.frames).toEqual(['{"n":1}', '{"n":2}']);
  });

  it('closes connections, and skips items that it does not know', () => {
    const { delivery, closes } = setUp(['a']);
    const payload = `z later kind\n{}\n${encodeInbox([
      { kind: 'close', connectionId: 'a', code: 4502, reason: 'logged out' },
      { kind: 'close', connectionId: 'gone', code: 4502 },
    ])}`;
    delivery.take(Buffer.from(payload));
    expect(closes).toEqual([['a', 4502, 'logged out']]);
    expect(delivery.skipped).toBe(1);
  });

  it('hands presence and who has to be judged anew to the watches, and no nonsense', () => {
    const { delivery, told } = setUp([]);
    const userId = '01890a5d-ac96-774b-bcce-b302099a8001';
    const presence = { userId, status: 'away', lastSeenAt: null, activeAt: null, version: 5 };
    const items: InboxItem[] = [JSON.stringify(presence), '{"status":"dead"}', '{'].map((text) => {
      return { kind: 'presence', userId, presence: text };
    });
    items.push({ kind: 'judge', userId });
    delivery.take(Buffer.from(encodeInbox(items)));
    expect(told).toEqual([presence, userId]);
    expect(delivery.skipped).toBe(2);
  });

  it('tells of a change of a conversation before it hands it out, and of nothing else', () => {
    const { delivery, fakes, changes } = setUp(['a']);
    const frames = [
      '{"type":"message","conversationId":"m"}',
      '{"type":"changed","conversationId":"e"}',
      '{"type":"conversation","conversationId":"c-1_","position":"3"}',
    ];
    const items: InboxItem[] = frames.map((frame) => ({ kind: 'push', connections: ['a'], frame }));
    items.splice(2, 0, { kind: 'changed', conversationId: 'c-1_' });
    delivery.take(Buffer.from(encodeInbox(items)));
    expect(changes).toEqual([['c-1_', 2]]);
    expect(fakes[0]!.frames).toEqual(frames);
  });
});
