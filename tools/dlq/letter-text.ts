import { type BookEntry, isOpen, settledBy } from '@tidings/common/kafka/dead-letters/letter-book';
import { letterId } from '@tidings/common/log-events/dead-letter';
import type { LogRecord } from '@tidings/common/log-events/record';
import { brief, printable, table } from '../stack/printable';

const HEAD = ['ID', 'SET ASIDE', 'STATE', 'GROUPS', 'KEY', 'TYPE', 'BYTES', 'WHY'];
const KEY_CHARS = 44;
const WHY_CHARS = 80;
/** Bytes of a value that are shown, unless all are wanted. */
const VALUE_BYTES = 2_048;

/** What became of it, in a word. */
function stateOf(entry: BookEntry): string {
  return settledBy(entry)?.mark ?? (entry.marks.length > 0 ? 'replaying' : 'open');
}

/** One line for each, under a head. */
export function listLines(entries: readonly BookEntry[]): string[] {
  if (entries.length === 0) return [];
  const rows = entries.map((entry) => {
    const { id, letters } = entry;
    const [first] = letters;
    return [
      printable(id),
      timeOf(Math.min(...letters.map(({ at }) => at))),
      stateOf(entry),
      brief(letters.map(({ group }) => group).join(','), KEY_CHARS),
      brief(first?.key || '-', KEY_CHARS),
      brief(first?.type || '-', KEY_CHARS),
      String(first?.bytes ?? 0),
      brief(first?.reason ?? '', WHY_CHARS),
    ];
  });
  return table([HEAD, ...rows]);
}

/** What is behind a list: how many there are. */
export function listEnd(shown: number, total: number, all: boolean): string {
  const what = all ? 'dead letters' : 'open dead letters';
  if (total === 0) return `There are no ${what}.`;
  const more = shown < total ? `; ${total - shown} more: --max ${total}` : '';
  return `${total} ${total === 1 ? what.slice(0, -1) : what}${more}`;
}

/** One of them in full. `judgement`: what this version makes of it. */
export function showLines(
  entry: BookEntry,
  record: LogRecord,
  judgement: string,
  whole: boolean,
): string[] {
  const { id, origin, letters, marks } = entry;
  const line = (name: string, text: string): string => `  ${name.padEnd(10)} ${printable(text)}`;
  const value = whole ? record.value : record.value.subarray(0, VALUE_BYTES);
  const cut = value.length < record.value.length ? `, the first ${value.length}; all: --whole` : '';
  return [
    printable(id),
    line(
      'state',
      isOpen(entry) ? `${stateOf(entry)}: missing until replayed or dropped` : stateOf(entry),
    ),
    line('appended', timeOf(origin.timestamp)),
    ...letters.map((one) =>
      line('set aside', `${timeOf(one.at)} by ${one.group}: ${one.reason} (${letterId(one)})`),
    ),
    ...marks.map(({ mark, at, by, reason, to }) =>
      line(mark, `${timeOf(at)} by ${by}${reason && `: ${reason}`}${to && ` → ${to}`}`),
    ),
    line('now', judgement),
    line('key', record.key || '-'),
    ...Object.entries(record.headers ?? {})
      .filter(([name]) => !name.startsWith('dlq_'))
      .map(([name, text]) => line('header', `${name}: ${String(text)}`)),
    line('value', `${record.value.length} bytes${cut}`),
    `    ${printable(value.toString())}`,
  ];
}

function timeOf(unixMs: number): string {
  const at = new Date(unixMs);
  return Number.isNaN(at.getTime()) ? '-' : at.toISOString();
}
