import { encodeInbox, type InboxItem } from '@tidings/common/redis/inbox-codec';
import { ConnectionTable } from '../socket/connection-table';
import { WriteQueue } from '../socket/write-queue';
import { fakeConnection } from '../testing/fake-connection';
import { InboxDelivery } from './inbox-delivery';

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
  const delivery = new InboxDelivery({
    table,
    writes: new WriteQueue({ overflow: jest.fn() }),
    close: (connection, code, reason) => closes.push([connection.id, code, reason]),
    failed: (connection, error) => failures.push([connection.id, error]),
    conversationChanged: (id) => changes.push([id, fakes[0]!.frames.length]),
  });
  return { delivery, fakes, closes, changes, failures };
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
