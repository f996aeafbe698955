import { id } from './keys';

/**
 * One thing for a gateway to do.
 * - `changed`: forget what it knows about a conversation; the next push reports its change.
 * - `push`: write an encoded frame (JSON, so without a raw newline) to these of its connections,
 *   but not from `untilMs` on (Unix milliseconds), when what it shows has expired.
 * - `all`: write an encoded frame, of the record at this position, to all of its connections.
 * - `tells`: like `push`, if the connection's user may see this user's presence; it never expires.
 * - `close`: end a connection with a close code.
 * - `presence`: send this about a user to those who watch them.
 * - `judge`: who may see a user, or whom the user may see, has changed.
 */
export type InboxItem =
  | { kind: 'changed'; conversationId: string }
  | { kind: 'push'; connections: readonly string[]; frame: string; untilMs?: number }
  | { kind: 'all'; position: string; frame: string }
  | { kind: 'tells'; of: string; connections: readonly string[]; frame: string }
  | { kind: 'close'; connectionId: string; code: number; reason?: string }
  | { kind: 'presence'; userId: string; presence: string }
  | { kind: 'judge'; userId: string };

/** What a gateway does with the items of an entry, in order. */
export interface InboxVisitor {
  changed(conversationId: string): void;
  /**
   * `frame` is a view into the payload: UTF-8 of one JSON frame, ready to be written. `untilMs`:
   * when what it shows expires; null: never.
   */
  push(connections: string[], frame: Buffer, untilMs: number | null): void;
  /** The same for every connection. `position`: of the record in the conversation of everybody. */
  all(position: bigint, frame: Buffer): void;
  /** Like `push`; the frame is about the presence of the user `of`. */
  tells(of: string, connections: string[], frame: Buffer): void;
  close(connectionId: string, code: number, reason?: string): void;
  /** `presence`: its JSON. */
  presence(userId: string, presence: Buffer): void;
  judge(userId: string): void;
}

/*
 * An item is two lines, so that a reader can skip a kind it does not know:
 *   n <conversation>\n\n
 *   p <connection>,<connection>…\n<frame>\n
 *   p <connection>,<connection>…,@<Unix ms>\n<frame>\n     (for a reader of before, a connection that is gone)
 *   b <position>\n<frame>\n
 *   v <user> <connection>,<connection>…\n<frame>\n
 *   c <connection> <code>\n<reason as JSON, or empty>\n
 *   w <user>\n<presence as JSON>\n
 *   j <user>\n\n
 */
const NEWLINE = 0x0a;
/** Precedes an expiry among the connections; no id begins with it. */
const UNTIL = '@';

/**
 * The payload of one inbox entry; empty when it has no items. `setAside` receives an item that
 * cannot be encoded, which is left out. Without it, throws `InvalidRedisId`, or `TypeError` for a
 * frame with a newline.
 */
export function encodeInbox<T extends InboxItem>(
  items: readonly T[],
  setAside?: (item: T, error: unknown) => void,
): string {
  let payload = '';
  for (const item of items) {
    try {
      payload += encodeItem(item);
    } catch (error) {
      if (!setAside) throw error;
      setAside(item, error);
    }
  }
  return payload;
}

function encodeItem(item: InboxItem): string {
  switch (item.kind) {
    case 'changed':
      return `n ${id(item.conversationId)}\n\n`;
    case 'push': {
      const end = item.untilMs === undefined ? '' : `,${UNTIL}${item.untilMs}`;
      return `p ${encodePush(item, end)}`;
    }
    case 'all':
      return `b ${id(item.position)}\n${oneLine(item.frame)}\n`;
    case 'tells':
      return `v ${id(item.of)} ${encodePush(item)}`;
    case 'close': {
      const reason = item.reason === undefined ? '' : JSON.stringify(item.reason);
      return `c ${id(item.connectionId)} ${item.code}\n${reason}\n`;
    }
    case 'presence':
      return `w ${id(item.userId)}\n${item.presence}\n`;
    case 'judge':
      return `j ${id(item.userId)}\n\n`;
  }
}

function encodePush(item: { connections: readonly string[]; frame: string }, end = ''): string {
  let connections = '';
  for (const connection of item.connections) {
    connections += connections === '' ? id(connection) : `,${id(connection)}`;
  }
  return `${connections}${end}\n${oneLine(item.frame)}\n`;
}

function oneLine(frame: string): string {
  if (frame.includes('\n')) throw new TypeError('a frame holds a raw newline');
  return frame;
}

/**
 * Visits the items of a payload in order, without parsing frames. Returns how many items were
 * skipped: of a kind that is newer than this version, or broken.
 */
export function decodeInbox(payload: string | Buffer, visitor: InboxVisitor): number {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  let skipped = 0;
  for (let at = 0; at < bytes.length;) {
    const headEnd = bytes.indexOf(NEWLINE, at);
    const bodyEnd = headEnd < 0 ? -1 : bytes.indexOf(NEWLINE, headEnd + 1);
    if (bodyEnd < 0) return skipped + 1;
    const head = bytes.toString('latin1', at, headEnd);
    const body = bytes.subarray(headEnd + 1, bodyEnd);
    if (!visitItem(head, body, visitor)) skipped += 1;
    at = bodyEnd + 1;
  }
  return skipped;
}

function visitItem(head: string, body: Buffer, visitor: InboxVisitor): boolean {
  if (head.startsWith('p ')) {
    const connections = listOf(head.slice(2));
    const untilMs = connections.at(-1)?.startsWith(UNTIL) ? endOf(connections.pop()!) : null;
    if (untilMs !== null && Number.isNaN(untilMs)) return false;
    visitor.push(connections[0] === '' ? [] : connections, body, untilMs);
    return true;
  }
  const all = /^b ([0-9]{1,19})$/.exec(head);
  if (all) {
    visitor.all(BigInt(all[1]!), body);
    return true;
  }
  const tells = /^v ([^ ]+) ([^ ]*)$/.exec(head);
  if (tells) {
    visitor.tells(tells[1]!, listOf(tells[2]!), body);
    return true;
  }
  if (head.startsWith('n ') && head.length > 2) {
    visitor.changed(head.slice(2));
    return true;
  }
  if (head.startsWith('w ') && head.length > 2) {
    visitor.presence(head.slice(2), body);
    return true;
  }
  if (head.startsWith('j ') && head.length > 2) {
    visitor.judge(head.slice(2));
    return true;
  }
  const close = /^c ([^ ]+) ([0-9]{4})$/.exec(head);
  if (!close) return false;
  const reason = body.length === 0 ? undefined : parseReason(body);
  if (reason === null) return false;
  visitor.close(close[1]!, Number(close[2]), reason);
  return true;
}

function listOf(connections: string): string[] {
  return connections === '' ? [] : connections.split(',');
}

/** NaN when it is not a number. */
function endOf(word: string): number {
  const digits = word.slice(UNTIL.length);
  return /^[0-9]{1,15}$/.test(digits) ? Number(digits) : NaN;
}

function parseReason(body: Buffer): string | null {
  try {
    const reason: unknown = JSON.parse(body.toString());
    return typeof reason === 'string' ? reason : null;
  } catch {
    return null;
  }
}
