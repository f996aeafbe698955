import { summaryOf } from './latency';
import type { ReceiptsResult } from './protocol';
import { Reading } from './reading';

const USERS = ['ann', 'bob', 'cyd', 'dan'];

function setUp() {
  const sent: { device: number; position: string }[] = [];
  const reading = new Reading({
    conversations: [
      { conversationId: 'one', devices: [0, 1] },
      { conversationId: 'two', devices: [2, 3] },
    ],
    userIds: USERS,
    withinMs: 5000,
    random: () => 0.5,
    send: (device, frame) => {
      const { position } = JSON.parse(frame.toString('utf8', 6)) as { position: string };
      sent.push({ device, position });
    },
  });
  reading.startRun();
  const told = (observer: number, userId: string, read: number, nowMs = 3000): void =>
    reading.onReceipt(observer, { conversationId: 'one', userId, read }, nowMs);
  const result = (): ReceiptsResult => {
    const { seen, ...counts } = reading.result();
    return { ...counts, seen: summaryOf([seen]) };
  };
  return { reading, result, sent, told };
}

describe('Reading', () => {
  it('reads everything that has come when its moment is there, once', () => {
    const { reading, sent } = setUp();
    reading.onMessage(1, 10, 100);
    reading.onMessage(1, 12, 900);
    reading.tick(2599);
    expect(sent).toEqual([]);
    expect(reading.done()).toBe(false);
    reading.tick(2600);
    reading.tick(9000);
    expect(sent).toEqual([{ device: 1, position: '12' }]);
  });

  it('measures from the moment of reading until the other is told', () => {
    const { reading, result, told } = setUp();
    reading.onMessage(1, 10, 100);
    reading.tick(2600);
    expect(result()).toMatchObject({ reads: 1, unseen: 1 });
    told(0, 'bob', 10, 2850);
    told(0, 'bob', 10, 5000);
    const { seen, unseen, invented } = result();
    expect({ count: seen.count, unseen, invented }).toEqual({ count: 1, unseen: 0, invented: 0 });
    expect(seen.max).toBeCloseTo(250, -1);
    expect(reading.done()).toBe(true);
  });

  it('counts every read that one receipt shows', () => {
    const { reading, result, told } = setUp();
    for (const position of [10, 20, 30]) {
      reading.onMessage(1, position, position);
      reading.tick(position + 2500);
    }
    told(0, 'bob', 20);
    expect(result()).toMatchObject({ seen: { count: 2 }, unseen: 1 });
    told(0, 'bob', 30);
    expect(result()).toMatchObject({ seen: { count: 3 }, unseen: 0 });
  });

  it('finds marks that nobody sent, and those told to strangers', () => {
    const { result, told } = setUp();
    told(0, 'bob', 99);
    expect(result().invented).toBe(1);
    told(2, 'bob', 5);
    expect(result().invented).toBe(2);
    told(0, 'nobody', 5);
    expect(result().invented).toBe(2);
  });

  it('measures in the run phase only', () => {
    const { reading, result, told } = setUp();
    reading.endRun();
    reading.onMessage(1, 10, 0);
    reading.tick(2500);
    told(0, 'bob', 10);
    expect(result()).toMatchObject({ reads: 0, seen: { count: 0 }, unseen: 0 });
  });
});
