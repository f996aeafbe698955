import { EVENT_TYPES } from './events';
import { readReceipts } from './receipt-batch';
import type { LogRecord } from './record';

const [ANN, BOB, DEVICE, OTHER] = [1, 2, 3, 4].map(
  (n) => `01890a5d-ac96-774b-bcce-b302099a800${n}`,
) as [string, string, string, string];

let offset = 0n;
function record(fields: object, more: Partial<LogRecord> = {}): LogRecord {
  const value = { conversationId: 'c', userId: ANN, deviceId: DEVICE, at: 'now', ...fields };
  return {
    topic: 'chat.receipts.v1',
    partition: 0,
    offset: offset++,
    key: 'c',
    id: 'i',
    type: EVENT_TYPES.receipt,
    source: 'g',
    time: '',
    timestamp: 0,
    epoch: 1,
    again: false,
    value: Buffer.from(JSON.stringify(value)),
    headers: {},
    ...more,
  };
}

describe('readReceipts', () => {
  it('merges what a batch says of each member, whatever the order', () => {
    const read = readReceipts([
      record({ delivered: '9' }, { timestamp: 7 }),
      record({ userId: BOB, read: '5' }),
      record({ read: '10' }, { timestamp: 8 }),
      record({ delivered: '7' }),
    ]);
    expect(read).toMatchObject({ bad: [], foreign: 0, next: offset });
    expect(read.members).toEqual([
      { conversationId: 'c', userId: ANN, deviceId: DEVICE, delivered: '10', read: '10', at: 8 },
      { conversationId: 'c', userId: BOB, deviceId: DEVICE, delivered: '5', read: '5', at: 0 },
    ]);
  });

  it('forgets the device when there were several', () => {
    const read = readReceipts([
      record({ delivered: '1' }),
      record({ delivered: '2', deviceId: OTHER }),
    ]);
    expect(read.members[0]).toMatchObject({ delivered: '2', deviceId: null });
  });

  it.each([
    ['no type', record({ read: '1' }, { type: '' })],
    ['no JSON', record({}, { value: Buffer.from('{') })],
    ['no position', record({ read: '-1' })],
    ['a position beyond 64 bits', record({ read: '9223372036854775808' })],
    ['another key', record({ read: '1' }, { key: 'd' })],
  ])('sets %s aside', (_what, one) => {
    expect(readReceipts([one])).toMatchObject({ members: [], bad: [{ record: one }] });
  });

  it('leaves out types that it does not know', () => {
    const other = record({}, { type: 'tidings.reaction.v1' });
    expect(readReceipts([other])).toMatchObject({ members: [], bad: [], foreign: 1 });
  });

  it('sets aside a later version of what it knows', () => {
    const later = record({}, { type: 'tidings.receipt.v2' });
    const { bad, foreign } = readReceipts([later]);
    expect(bad.map(({ reason }) => reason)).toEqual(['unknown version: tidings.receipt.v2']);
    expect(foreign).toBe(0);
  });

  it('ends behind as many bad ones as can be handled at a time', () => {
    const records = Array.from({ length: 5 }, () => record({}, { value: Buffer.from('x') }));
    const read = readReceipts(records, 2);
    expect(read.bad).toHaveLength(2);
    expect(read.next).toBe(records[1]!.offset + 1n);
  });
});
