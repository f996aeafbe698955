import { EVENT_TYPES, messageSent } from '@tidings/common/contracts/events';
import type { OutRecord } from '@tidings/common/kafka/record';

/** What a message in a spool is judged by. */
export interface SpooledMessage {
  conversationId: string;
  messageId: string;
  senderId: string;
  contentHash: string;
  /** Unix milliseconds. */
  sentAtMs: number;
  /** Unix milliseconds; null: never. */
  expiresAtMs: number | null;
}

/** Whether records of this type may be held; others are refused while the log is away. */
export function mayBeHeld(record: OutRecord): boolean {
  return record.type === EVENT_TYPES.messageSent;
}

/** When a record's life ends, Unix milliseconds; Infinity: never. */
export function expiryOf(record: OutRecord): number {
  // few have one, and reading a record costs
  if (!record.value.includes('"expiresAt"')) return Infinity;
  return spooledMessage(record)?.expiresAtMs ?? Infinity;
}

/** Reads a record that was held; null when it is no message that this version knows. */
export function spooledMessage(record: OutRecord): SpooledMessage | null {
  if (!mayBeHeld(record)) return null;
  let value: unknown;
  try {
    value = JSON.parse(record.value.toString());
  } catch {
    return null;
  }
  const parsed = messageSent.safeParse(value);
  if (!parsed.success) return null;
  const { conversationId, messageId, senderId, contentHash, sentAt, expiresAt } = parsed.data;
  const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
  const sentAtMs = Date.parse(sentAt);
  return { conversationId, messageId, senderId, contentHash, sentAtMs, expiresAtMs };
}
