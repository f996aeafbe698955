import { receiptFrame, type ReceiptFrame } from '@tidings/protocol/frames';
import { comparePositions } from '@tidings/protocol/positions';
import { mergeMarks } from '@tidings/protocol/receipt-marks';
import { parsedJson } from '@tidings/protocol/json';

/** How session begins the frames that may be shed: the type comes first. */
const BEGINNINGS = {
  typing: Buffer.from('{"type":"typing",'),
  receipts: Buffer.from('{"type":"receipt",'),
} as const;

/** The lane of an encoded push; null: it is in none. Looks at its first bytes only. */
export function laneOf(frame: Buffer): keyof typeof BEGINNINGS | null {
  if (beginsWith(frame, BEGINNINGS.typing)) return 'typing';
  return beginsWith(frame, BEGINNINGS.receipts) ? 'receipts' : null;
}

/** An encoded `receipt`; null: it is none as this version knows it. */
export function readReceipt(frame: Buffer): ReceiptFrame | null {
  return receiptFrame.safeParse(parsedJson(frame.toString())).data ?? null;
}

/**
 * One frame that says what two about the same member say. Marks are a maximum, so joining loses nothing.
 * What is unread is the later frame's word; without one it is the earlier's, unless more was read since.
 */
export function joinReceipts(earlier: ReceiptFrame, later: ReceiptFrame): ReceiptFrame {
  const { type, conversationId, userId } = later;
  const joined = { type, conversationId, userId, ...mergeMarks(earlier, later) };
  const counted = countedLast(earlier, later);
  if (counted?.unread === undefined || comparePositions(joined.read, counted.read) > 0) {
    return joined;
  }
  return { ...joined, unread: counted.unread, upTo: counted.upTo };
}

function countedLast(earlier: ReceiptFrame, later: ReceiptFrame): ReceiptFrame {
  return later.unread !== undefined && comparePositions(later.read, earlier.read) >= 0
    ? later
    : earlier;
}

function beginsWith(frame: Buffer, beginning: Buffer): boolean {
  return frame.length > beginning.length && frame.subarray(0, beginning.length).equals(beginning);
}
