import type { LogRecord } from '@tidings/common/log-events/record';
import { printable } from './printable';

/** One readable line: `partition@offset  time  key  event type  value`. */
export function showRecord(record: LogRecord): string {
  const { partition, offset, timestamp, key, type, value } = record;
  const at = new Date(timestamp);
  const time = Number.isNaN(at.getTime()) || timestamp < 0 ? '-' : at.toISOString();
  const shown = [`${partition}@${offset}`, time, key || '-', type || '-', value.toString()];
  return printable(shown.join('  '));
}
