import type { ReceiptFrame } from '@tidings/protocol/frames';
import type { Connection } from '../socket/connection';
import { fakeConnection } from '../testing/fake-connection';
import { JOINED_OVER_MS, JoinedReceipts } from './joined-receipts';

const receipt = (userId: string, delivered: number, read = 0): ReceiptFrame => ({
  type: 'receipt',
  conversationId: 'c',
  userId,
  delivered: String(delivered),
  read: String(read),
});

describe('JoinedReceipts', () => {
  let written: string[];
  let buffers: Buffer[];
  const a = fakeConnection({ id: 'a' }).connection;
  const b = fakeConnection({ id: 'b' }).connection;

  const make = (most?: number) =>
    new JoinedReceipts(
      {
        write: ({ id }: Connection, bytes) => {
          const { userId, delivered, read } = JSON.parse(bytes.subarray(2).toString()) as Record<
            string,
            string
          >;
          written.push(`${id} ${userId} ${delivered} ${read}`);
          buffers.push(bytes);
        },
      },
      most,
    );
  beforeEach(() => {
    jest.useFakeTimers();
    written = [];
    buffers = [];
  });
  afterEach(() => jest.useRealTimers());

  it('writes one frame per member and socket, with the maximum of all, once for all sockets', () => {
    const joined = make();
    joined.take([a, b], receipt('u', 5));
    jest.advanceTimersByTime(JOINED_OVER_MS - 1);
    joined.take([a, b], receipt('u', 7, 2));
    joined.take([b], receipt('v', 1));
    joined.take([a, b], receipt('u', 6, 3));
    expect([written, joined.size]).toEqual([[], 3]);
    jest.advanceTimersByTime(1);
    expect(written).toEqual(['a u 7 3', 'b u 7 3', 'b v 1 0']);
    expect(buffers[0]).toBe(buffers[1]);
    expect([joined.size, jest.getTimerCount()]).toEqual([0, 0]);
    joined.take([a], receipt('u', 8));
    jest.advanceTimersByTime(JOINED_OVER_MS);
    expect(written.slice(3)).toEqual(['a u 8 0']);
  });

  it('lets all go when it is full, or when it is told to, and nobody hears of it who is gone', () => {
    const joined = make(2);
    joined.take([a], receipt('u', 1));
    expect(written).toEqual([]);
    joined.take([a], receipt('v', 1));
    expect(written).toEqual(['a u 1 0', 'a v 1 0']);
    const gone = fakeConnection({ id: 'gone' }).connection;
    joined.take([gone], receipt('u', 2));
    gone.ended = true;
    joined.flush();
    expect([written.length, joined.size, jest.getTimerCount()]).toEqual([2, 0, 0]);
  });

  it('keeps no timer for nobody', () => {
    make().take([], receipt('u', 1));
    expect(jest.getTimerCount()).toBe(0);
  });
});
