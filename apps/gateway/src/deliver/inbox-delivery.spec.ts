import { encodeInbox, type InboxItem } from '@tidings/common/redis/inbox-codec';
import type { Lane } from '@tidings/protocol/lanes';
import { JOINED_OVER_MS } from '../lanes/joined-receipts';
import { ConnectionTable } from '../socket/connection-table';
import { textFrame } from '../socket/text-frame';
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
  const shed = new Set<Lane>();
  const counted: unknown[] = [];
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
    lanes: { sheds: (lane) => shed.has(lane) },
    metrics: {
      withheld: (lane, pushes) => counted.push(['withheld', lane, pushes]),
      joined: (lane, pushes) => counted.push(['joined', lane, pushes]),
    },
  });
  return { delivery, fakes, closes, changes, failures, asked, told, shed, counted };
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

  describe('while lanes are shed', () => {
    beforeEach(() => jest.useFakeTimers());
    afterEach(() => jest.useRealTimers());
    const USER = '01890a5d-ac96-774b-bcce-b302099a8001';
    const typing = '{"type":"typing","conversationId":"c","active":true}';
    const message = '{"type":"message","conversationId":"c"}';
    const receipt = (delivered: string) =>
      JSON.stringify({ type: 'receipt', conversationId: 'c', userId: USER, delivered, read: '0' });
    const push = (connections: string[], frame: string): Buffer =>
      Buffer.from(encodeInbox([{ kind: 'push', connections, frame }]));

    it('hands out nobody’s typing, and messages as ever', () => {
      const { delivery, fakes, shed, counted } = setUp(['a', 'b']);
      delivery.take(push(['a', 'b'], typing));
      shed.add('typing');
      for (const frame of [typing, message, receipt('1')]) delivery.take(push(['a', 'b'], frame));
      for (const { frames } of fakes) expect(frames).toEqual([typing, message, receipt('1')]);
      expect(counted).toEqual([['withheld', 'typing', 2]]);
    });

    it.each([
      ['a change of a conversation', { kind: 'changed', conversationId: 'c' }],
      ['a block', { kind: 'judge', userId: USER }],
    ] as const)('hands out the receipts that wait before %s', (_what, news) => {
      const { delivery, fakes, shed } = setUp(['a']);
      for (const lane of ['typing', 'presence', 'receipts'] as const) shed.add(lane);
      delivery.take(push(['a'], receipt('1')));
      const before = fakes[0]!.frames.length;
      delivery.take(Buffer.from(encodeInbox([news])));
      delivery.take(push(['a'], '{}'));
      expect(fakes[0]!.frames.slice(before)).toEqual([receipt('1'), '{}']);
    });

    it('hands out receipts joined, the last mark too, and at once when they are normal again', () => {
      const { delivery, fakes, shed, counted } = setUp(['a']);
      for (const lane of ['typing', 'presence', 'receipts'] as const) shed.add(lane);
      for (const mark of ['1', '3', '2']) delivery.take(push(['a', 'gone'], receipt(mark)));
      delivery.take(push(['a'], message));
      const { frames } = fakes[0]!;
      expect(frames).toEqual([message]);
      jest.advanceTimersByTime(JOINED_OVER_MS);
      expect(frames.slice(1)).toEqual([receipt('3')]);
      expect(counted).toEqual(new Array(3).fill(['joined', 'receipts', 2]));
      expect(delivery.missed).toBe(3);
      delivery.take(push(['a'], receipt('4')));
      delivery.lanesChanged(textFrame('{"type":"shed"}'));
      expect(frames.slice(2)).toEqual(['{"type":"shed"}']);
      shed.clear();
      delivery.lanesChanged(textFrame('{}'));
      expect(frames.slice(3)).toEqual(['{}', receipt('4')]);
    });

    it('tells all sockets of it, but those that wait for their welcome', () => {
      const { delivery, fakes } = setUp(['a', 'b', 'c']);
      fakes[1]!.connection.welcomed = false;
      delivery.lanesChanged(textFrame('{"type":"shed"}'));
      expect(fakes.map(({ frames }) => frames.length)).toEqual([1, 0, 1]);
      expect(fakes[1]!.connection.held).toBeNull();
    });
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
