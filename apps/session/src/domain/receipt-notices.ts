import type { ReceiptFrame } from '@tidings/protocol/frames';
import type { ReceiptView } from '@tidings/common/rpc/calls';
import { comparePositions } from '@tidings/protocol/positions';
import type { Notice } from './fan-out';

/** Whose marks rose; `deviceId`: the device that raised them, null for several. */
export interface Reader {
  conversationId: string;
  userId: string;
  deviceId: string | null;
  /** What was read, as far as these records say; "0": they say nothing of it. */
  read: string;
}

/** What stands for a `read` that privacy hides. */
const HIDDEN = '0';
const NOTHING = '0';

/**
 * The frames about one member's marks: to his own other devices with what is unread now, to the
 * others with `read` or without it, as privacy says. Those without hear nothing when only `read` has
 * risen: the frame itself would tell. `pushedBefore`: the `delivered` of the last push, when known;
 * else storage says what it was, perhaps these records already applied: news then if nothing was read.
 */
export function receiptNotices(
  reader: Reader,
  view: ReceiptView,
  pushedBefore: string | undefined,
): Notice[] {
  const { conversationId, userId, deviceId } = reader;
  const { others, delivered, read, unread, upTo } = view;
  const frame: ReceiptFrame = { type: 'receipt', conversationId, userId, delivered, read };
  const counted = unread === undefined || upTo === undefined ? frame : { ...frame, unread, upTo };
  const notices: Notice[] = [
    { frame: JSON.stringify(counted), userIds: [userId], exceptDevice: deviceId },
  ];
  const told = (seesRead: boolean): string[] =>
    others.filter((o) => o.seesRead === seesRead).map((o) => o.userId);
  const [open, closed] = [told(true), told(false)];
  if (open.length > 0) {
    notices.push({ frame: JSON.stringify(frame), userIds: open, exceptDevice: null });
  }
  const before = pushedBefore ?? (reader.read === NOTHING ? NOTHING : view.deliveredBefore);
  if (closed.length > 0 && comparePositions(delivered, before) > 0) {
    const text = JSON.stringify({ ...frame, read: HIDDEN });
    notices.push({ frame: text, userIds: closed, exceptDevice: null });
  }
  return notices;
}
