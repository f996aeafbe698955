import type { ReceiptMarked } from './events';
import { mergeMarks, type Marks } from '@tidings/protocol/receipt-marks';
import { readLogEvent } from './read-log-event';
import type { LogRecord } from './record';
import { TOPICS } from './topics';

/** What a batch says about one member, merged. */
export interface MemberMarks extends Marks {
  conversationId: string;
  userId: string;
  /** The device that raised the marks; null: several did. */
  deviceId: string | null;
}

/**
 * The same with the time of the last record in it: the marks were raised at that time or earlier.
 */
export interface DatedMarks extends MemberMarks {
  /** Unix milliseconds. */
  at: number;
}

/** A receipt that can never be applied, and why. */
interface BadReceipt {
  record: LogRecord;
  reason: string;
}

/** The receipts of a batch. */
export interface ReceiptBatch {
  members: DatedMarks[];
  bad: BadReceipt[];
  /** Number of records of other types. */
  foreign: number;
  /** Offset to go on from: after the last record, or after the last bad one that fits. */
  next: bigint;
}

/**
 * Reads records of `chat.receipts.v1` and merges them per member. Ends after the `maxBad`th bad
 * one. Never throws.
 */
export function readReceipts(records: readonly LogRecord[], maxBad = 20): ReceiptBatch {
  const members = new Map<string, DatedMarks>();
  const read: ReceiptBatch = { members: [], bad: [], foreign: 0, next: 0n };
  for (const record of records) {
    read.next = record.offset + 1n;
    const found = readLogEvent(TOPICS.receipts, record);
    if (found.kind === 'foreign') read.foreign++;
    else if (found.kind === 'bad') read.bad.push({ record, reason: found.reason });
    else merge(members, found.event, record.timestamp);
    if (read.bad.length >= maxBad) break;
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
