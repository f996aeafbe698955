import type { OutRecord } from '@tidings/common/log-events/record';
import { messageRecord } from '@tidings/common/log-records/message-record';

export const CONVERSATION = 'c0nversati0n';
export const SENDER = '01890a5d-ac96-774b-bcce-b302099a8001';
const DEVICE = '01890a5d-ac96-774b-bcce-b302099a8002';
/** Unix milliseconds at which the first of these was sent; each a second later. */
export const FIRST_SENT_AT = 1_700_000_000_000;

/** The id of the n-th message. */
export function heldId(n: number): string {
  return `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;
}

/** The record of the n-th message. */
export function heldRecord(
  n: number,
  over: { text?: string; senderId?: string; expiresAt?: string } = {},
): OutRecord {
  const record = messageRecord({
    conversationId: CONVERSATION,
    messageId: heldId(n),
    senderId: over.senderId ?? SENDER,
    deviceId: DEVICE,
    content: { kind: 'text', text: over.text ?? `text ${n}` },
    contentHash: String(n).padStart(22, 'h'),
    extras: null,
    sentAt: new Date(FIRST_SENT_AT + n * 1000).toISOString(),
  });
  if (over.expiresAt === undefined) return record;
  const value = { ...(JSON.parse(record.value.toString()) as object), expiresAt: over.expiresAt };
  return { ...record, value: JSON.stringify(value) };
}
