import { crc32c } from '@tidings/common/kafka/wire/crc32c';
import type { OutRecord } from '@tidings/common/log-events/record';

/**
 * An entry of a spool file, little endian: CRC-32C (of all that follows), length of the payload,
 * payload. The payload: key, type, id, time and headers (JSON, empty without), each with its length
 * in 16 bits before it, then the value.
 */
const HEAD_BYTES = 8;
const LENGTH_AT = 4;
const FIELDS = 5;
const FIELD_HEAD_BYTES = 2;
const MAX_FIELD_BYTES = 0xffff;

/** No entry has a longer payload; what claims to is damage. */
export const MAX_PAYLOAD_BYTES = 768 * 1024;

/** An entry as found in a file, and the offset after it. */
export interface FoundEntry {
  record: OutRecord;
  end: number;
}

/** The bytes of an entry. Throws a RangeError for a record that no entry can hold. */
export function encodeEntry(record: OutRecord): Buffer {
  const headers = record.headers ? JSON.stringify(record.headers) : '';
  const fields = [record.key, record.type, record.id, record.time, headers].map((field) =>
    Buffer.from(field),
  );
  const value = Buffer.from(record.value as string);
  const length = fields.reduce((sum, field) => sum + FIELD_HEAD_BYTES + field.length, value.length);
  if (length > MAX_PAYLOAD_BYTES || fields.some((field) => field.length > MAX_FIELD_BYTES)) {
    throw new RangeError(`a record of ${length} bytes`);
  }
  const entry = Buffer.allocUnsafe(HEAD_BYTES + length);
  entry.writeUInt32LE(length, LENGTH_AT);
  let at = HEAD_BYTES;
  for (const field of fields) {
    at = entry.writeUInt16LE(field.length, at);
    at += field.copy(entry, at);
  }
  value.copy(entry, at);
  entry.writeUInt32LE(crc32c(entry, LENGTH_AT, entry.length), 0);
  return entry;
}

/** The entry that begins at `start`; null when there is none, or only a part or a damaged one. */
export function decodeEntry(data: Buffer, start: number): FoundEntry | null {
  const body = start + HEAD_BYTES;
  if (body > data.length) return null;
  const length = data.readUInt32LE(start + LENGTH_AT);
  const end = body + length;
  if (length > MAX_PAYLOAD_BYTES || end > data.length) return null;
  if (data.readUInt32LE(start) !== crc32c(data, start + LENGTH_AT, end)) return null;
  const record = decodePayload(data.subarray(body, end));
  return record && { record, end };
}

/**
 * The entries from the start of a file up to the first that is torn or damaged; at most so many, of
 * at most so many bytes but for the first.
 */
export function scanEntries(
  data: Buffer,
  most: { records: number; bytes: number } = { records: Infinity, bytes: Infinity },
): FoundEntry[] {
  const found: FoundEntry[] = [];
  let entry = decodeEntry(data, 0);
  while (entry && found.length < most.records) {
    if (found.length > 0 && entry.end > most.bytes) break;
    found.push(entry);
    entry = decodeEntry(data, entry.end);
  }
  return found;
}

function decodePayload(payload: Buffer): OutRecord | null {
  const fields: string[] = [];
  let at = 0;
  while (fields.length < FIELDS) {
    if (at + FIELD_HEAD_BYTES > payload.length) return null;
    const from = at + FIELD_HEAD_BYTES;
    at = from + payload.readUInt16LE(at);
    if (at > payload.length) return null;
    fields.push(payload.toString('utf8', from, at));
  }
  const [key, type, id, time, headers] = fields as [string, string, string, string, string];
  const value = payload.toString('utf8', at);
  if (headers === '') return { key, type, id, time, value };
  try {
    const parsed = JSON.parse(headers) as Record<string, string>;
    return { key, type, id, time, value, headers: parsed };
  } catch {
    return null;
  }
}
