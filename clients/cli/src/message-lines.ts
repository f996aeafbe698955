import type { Message, Outgoing, OutgoingState, Presence, ReadBy } from '@tidings/sdk';
import { safeLine, safeText } from './safe-text';
import type { Style } from './style';
import { displayWidth, wrap } from './width';

/** `12:03`, with the date when it was not today. */
export function clockTime(iso: string, now = new Date()): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '--:--';
  const two = (n: number): string => String(n).padStart(2, '0');
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** `12 kB`: bytes for people. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** What a message says, in text for a terminal. `number`: under which a file can be saved. */
export function contentText(content: Message['content'], deleted = false, number = 0): string {
  if (deleted) return '(deleted)';
  if (content.kind === 'text') return safeText(content.text);
  if (content.kind === 'image' || content.kind === 'file') {
    const { kind, size } = content;
    const about = kind === 'image' ? `${content.width}×${content.height}` : safeLine(content.name);
    const link = `[${kind} ${about}, ${bytesText(size)} · /save ${number}]`;
    const caption = kind === 'image' ? (content.caption ?? '') : '';
    return caption === '' ? link : `${link} ${safeText(caption)}`;
  }
  if (content.kind === 'event') return `(${safeText(content.event.kind)})`;
  return `(${safeText((content as { kind: string }).kind)}: not shown in a terminal)`;
}

/** What an own message says before the server has told more about it. */
export function outgoingText({ record, text }: Pick<Outgoing, 'record' | 'text'>): string {
  const { kind } = record.content;
  return kind === 'text' ? safeText(text) : `[${kind}] ${safeText(text)}`.trimEnd();
}

/** Marks of an outgoing message. */
export const TICKS: Record<OutgoingState, string> = {
  waiting: '·',
  sending: '·',
  held: '◦',
  sent: '✓',
  failed: '✗',
};

/** How far an own message has come: whether all others have it, whether all have read it. */
export function tickOf({ delivered, read, of }: ReadBy): string {
  if (of === 0) return TICKS.sent;
  if (read === of) return '✔✔';
  return delivered === of ? '✓✓' : TICKS.sent;
}

/** A message with its time and author; further lines are indented below its first word. */
export function messageLines(
  message: { time: string; author: string; tick?: string; text: string; own: boolean },
  columns: number,
  style: Style,
): string[] {
  const { time, author, tick, text, own } = message;
  const mark = tick === undefined ? '' : ` ${tick}`;
  const indent = displayWidth(`${time}  ${author}${mark}  `);
  const head = `${style.dim(time)}  ${own ? author : style.bold(author)}${style.good(mark)}  `;
  const lines = columns === Infinity ? text.split('\n') : wrap(text, columns - indent);
  return lines.map((line, i) => (i === 0 ? head : ' '.repeat(indent)) + line);
}

/** `online`, or when the user was last seen. */
export function presenceText(presence: Presence | undefined): string {
  if (!presence) return '';
  if (presence.status !== 'offline') return presence.status;
  return presence.lastSeenAt === null ? 'offline' : `last seen ${clockTime(presence.lastSeenAt)}`;
}
