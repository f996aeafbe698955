import { EVENT_TYPES, receiptMarked, type ReceiptMarked } from './events';
import { mergeMarks, type Marks } from '@tidings/protocol/receipt-marks';
import type { LogRecord } from './record';

/** What a batch says of one member, merged. */
export interface MemberMarks extends Marks {
  conversationId: string;
  userId: string;
  /** The device that raised them; null: several. */
  deviceId: string | null;
}

/** The same with the time of the last record that is in it: they were raised then or before. */
interface DatedMarks extends MemberMarks {
  /** Unix milliseconds. */
  at: number;
}

/** A receipt that can never be applied, and why. */
interface BadReceipt {
  record: LogRecord;
  reason: string;
}

/** The receipts of a batch. Later versions' types are left out. */
export interface ReceiptBatch {
  members: DatedMarks[];
  bad: BadReceipt[];
  /** Records of another type. */
  foreign: number;
  /** Offset to go on from: behind the last record, or behind the last bad one that fits. */
  next: bigint;
}

/**
 * Reads records of `chat.receipts.v1` and merges them per member; ends behind the `mostBad`th bad
 * one. Never throws.
 */
export function readReceipts(records: readonly LogRecord[], mostBad = 20): ReceiptBatch {
  const members = new Map<string, DatedMarks>();
  const read: ReceiptBatch = { members: [], bad: [], foreign: 0, next: 0n };
  for (const record of records) {
    read.next = record.offset + 1n;
    const event = readReceipt(record);
    if (event === null) read.foreign++;
    else if (typeof event === 'string') read.bad.push({ record, reason: event });
    else merge(members, event, record.timestamp);
    if (read.bad.length >= mostBad) break;
  }
  read.members = [...members.values()];
  return read;
}

function merge(members: Map<string, DatedMarks>, event: ReceiptMarked, at: number): void {
  const { conversationId, userId, deviceId } = event;
  const key = conversationId + userId;
  const known = members.get(key);
  if (known) {
    Object.assign(known, mergeMarks(known, event));
    known.at = Math.max(known.at, at);
    if (known.deviceId !== deviceId) known.deviceId = null;
  } else {
    members.set(key, { conversationId, userId, deviceId, ...mergeMarks(event, {}), at });
  }
}

/** A receipt; the reason why it is none; null for a type that came later than this version. */
function readReceipt(record: LogRecord): ReceiptMarked | string | null {
  if (record.type === '') return 'the record has no type';
  if (record.type !== EVENT_TYPES.receipt) return null;
  let value: unknown;
  try {
    value = JSON.parse(record.value.toString());
  } catch {
    return 'the value is not JSON';
  }
  const parsed = receiptMarked.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`;
  }
  // The key decides the partition, and with it who merges the marks.
  if (parsed.data.conversationId !== record.key) return 'the key is not the conversation id';
  return parsed.data;
}
