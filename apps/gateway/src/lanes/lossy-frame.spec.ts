import fc from 'fast-check';
import type { ReceiptFrame } from '@tidings/protocol/frames';
import { NO_MARKS, mergeMarks } from '@tidings/protocol/receipt-marks';
import { joinReceipts, laneOf, readReceipt } from './lossy-frame';

const USER = '01890a5d-ac96-774b-bcce-b302099a8001';
const receipt = (
  delivered: number,
  read: number,
  unread?: number,
  upTo?: number,
): ReceiptFrame => ({
  type: 'receipt',
  conversationId: 'c',
  userId: USER,
  delivered: String(delivered),
  read: String(read),
  ...(unread !== undefined && { unread, upTo: String(upTo) }),
});

describe('the lane of a push', () => {
  it.each([
    ['{"type":"typing","conversationId":"c"}', 'typing'],
    ['{"type":"receipt","conversationId":"c"}', 'receipts'],
    ['{"type":"message","content":{"text":"{\\"type\\":\\"typing\\","}}', null],
    ['{"type":"pending","offline":[]}', null],
    ['{"type":"message","meta":{"type":"typing","conversationId":"c"}}', null],
    ['{"type":"typings","conversationId":"c"}', null],
    ['{"type":"typ', null],
    ['', null],
  ])('%s: %s', (text, lane) => expect(laneOf(Buffer.from(text))).toBe(lane));

  it('is read of a receipt only when it is one', () => {
    const whole = receipt(5, 4, 1, 5);
    expect(readReceipt(Buffer.from(JSON.stringify(whole)))).toEqual(whole);
    expect(readReceipt(Buffer.from('{"type":"receipt","read":"4"}'))).toBeNull();
    expect(readReceipt(Buffer.from('{"type":"receipt",'))).toBeNull();
  });
});

describe('two receipts of a member in one', () => {
  it.each([
    ['the maximum of both', receipt(5, 2), receipt(7, 1), receipt(7, 2)],
    ['the later count', receipt(5, 2, 3, 5), receipt(9, 4, 5, 9), receipt(9, 4, 5, 9)],
    ['the earlier count', receipt(5, 2, 3, 5), receipt(9, 2), receipt(9, 2, 3, 5)],
    ['no count of what was read since', receipt(5, 2, 3, 5), receipt(9, 4), receipt(9, 4)],
    [
      'no count that is older than the mark',
      receipt(9, 4, 5, 9),
      receipt(5, 2, 3, 5),
      receipt(9, 4, 5, 9),
    ],
    ['no count of what privacy hides', receipt(5, 3), receipt(6, 0), receipt(6, 3)],
  ])('have %s', (_what, earlier, later, joined) => {
    expect(joinReceipts(earlier, later)).toEqual(joined);
  });

  it('lose no mark, however they are joined', () => {
    const marks = fc.tuple(fc.nat(20), fc.nat(20)).map(([a, b]) => receipt(Math.max(a, b), b));
    fc.assert(
      fc.property(fc.array(marks, { minLength: 1 }), (frames) => {
        const { delivered, read } = frames.reduce(joinReceipts);
        expect({ delivered, read }).toEqual(frames.reduce(mergeMarks, NO_MARKS));
      }),
    );
  });
});
