/** One record as `npm run kafka -- tail` shows it. */
export interface ShownRecord {
  partition: string;
  offset: string;
  /** ISO 8601, or `-` when the record has none */
  time: string;
  key: string;
  headers: Record<string, string>;
  value: string;
}

/** What the console consumer prints between the fields of a record, and what stands for null. */
const SEPARATOR = '\t';

/** Formatter settings that make the console consumer print all fields of a record in one line. */
export const FORMATTER_PROPERTIES: readonly string[] = [
  'print.timestamp=true',
  'print.partition=true',
  'print.offset=true',
  'print.headers=true',
  'print.key=true',
  'print.value=true',
];

/**
 * Reads a line of the console consumer:
 * `CreateTime:<ms> Partition:<n> Offset:<n> <name>:<value>,… <key> <value>` with tabs between the fields.
 * Undefined for other lines. Header values may hold commas and colons: a part without a name belongs to the one before.
 */
export function parseRecordLine(line: string): ShownRecord | undefined {
  const fields = line.split(SEPARATOR);
  const [time = '', partition = '', offset = '', headers = '', key = ''] = fields;
  if (fields.length < 6 || !partition.startsWith('Partition:') || !offset.startsWith('Offset:')) {
    return undefined;
  }
  const milliseconds = Number(time.slice(time.indexOf(':') + 1));
  return {
    partition: partition.slice('Partition:'.length),
    offset: offset.slice('Offset:'.length),
    time:
      Number.isFinite(milliseconds) && time.includes(':')
        ? new Date(milliseconds).toISOString()
        : '-',
    key,
    headers: parseHeaders(headers),
    value: fields.slice(5).join(SEPARATOR),
  };
}

function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  let last: string | undefined;
  for (const part of text.split(',')) {
    const match = /^([A-Za-z_][\w.-]*):(.*)$/s.exec(part);
    if (match?.[1] !== undefined) {
      last = match[1];
      headers[last] = match[2] ?? '';
    } else if (last !== undefined) {
      headers[last] += `,${part}`;
    }
  }
  return headers;
}

/**
 * One readable line: `partition@offset  time  key  event type  value`. Control characters are escaped: a terminal must
 * not obey what a message holds.
 */
export function showRecord(record: ShownRecord): string {
  const type = record.headers.ce_type ?? '-';
  const line = `${record.partition}@${record.offset}  ${record.time}  ${record.key}  ${type}  ${record.value}`;
  return [...line].map((char) => (isControl(char) ? escapeControl(char) : char)).join('');
}

function isControl(char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

function escapeControl(char: string): string {
  return `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}
