import { safeLine } from './safe-text';

const LATE: Readonly<Record<string, string>> = {
  presence: 'who is here',
  receipts: 'ticks',
};

/** What the server does less of under load, as a sentence. */
export function shedLine(lanes: readonly string[]): string {
  if (lanes.length === 0) return 'the server is back to normal';
  const late = lanes
    .filter((lane) => lane !== 'typing')
    .map((lane) => LATE[lane] ?? safeLine(lane));
  const parts = [
    ...(lanes.includes('typing') ? ['nobody is shown as typing'] : []),
    ...(late.length > 0 ? [`${late.join(' and ')} may be late`] : []),
  ];
  return `the server is very busy: ${parts.join(', ')}; messages go on as ever`;
}
