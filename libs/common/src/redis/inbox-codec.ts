import { id } from './keys';

/**
 * One thing for a gateway to do. `changed`: forget what it knows of a conversation, whose change the
 * next push tells. `push`: write an encoded frame (JSON, so without a raw newline) to these of its
 * connections. `close`: end a connection with a close code.
 */
export type InboxItem =
  | { kind: 'changed'; conversationId: string }
  | { kind: 'push'; connections: readonly string[]; frame: string }
  | { kind: 'close'; connectionId: string; code: number; reason?: string };

/** What a gateway does with the items of an entry, in order. */
export interface InboxVisitor {
  changed(conversationId: string): void;
  /** `frame` is a view into the payload: UTF-8 of one JSON frame, ready to be written. */
  push(connections: string[], frame: Buffer): void;
  close(connectionId: string, code: number, reason?: string): void;
}

/*
 * An item is two lines, so that a reader can skip a kind it does not know:
 *   n <conversation>\n\n
 *   p <connection>,<connection>…\n<frame>\n
 *   c <connection> <code>\n<reason as JSON, or empty>\n
 */
const NEWLINE = 0x0a;

/**
 * The payload of one inbox entry; empty when there is nothing in it. `setAside` is told of an item that
 * cannot be encoded, which is left out. Without it throws `InvalidRedisId`, or `TypeError` for a frame
 * with a newline.
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
      if (item.frame.includes('\n')) throw new TypeError('a frame holds a raw newline');
      let connections = '';
      for (const connection of item.connections) {
        connections += connections === '' ? id(connection) : `,${id(connection)}`;
      }
      return `p ${connections}\n${item.frame}\n`;
    }
    case 'close': {
      const reason = item.reason === undefined ? '' : JSON.stringify(item.reason);
      return `c ${id(item.connectionId)} ${item.code}\n${reason}\n`;
    }
  }
}

/**
 * Visits the items of a payload in order, without parsing frames. Returns how many items were
 * skipped: of a kind that came later than this version, or broken.
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
    visitor.push(head.length === 2 ? [] : head.slice(2).split(','), body);
    return true;
  }
  if (head.startsWith('n ') && head.length > 2) {
    visitor.changed(head.slice(2));
    return true;
  }
  const close = /^c ([^ ]+) ([0-9]{4})$/.exec(head);
  if (!close) return false;
  const reason = body.length === 0 ? undefined : parseReason(body);
  if (reason === null) return false;
  visitor.close(close[1]!, Number(close[2]), reason);
  return true;
}

function parseReason(body: Buffer): string | null {
  try {
    const reason: unknown = JSON.parse(body.toString());
    return typeof reason === 'string' ? reason : null;
  } catch {
    return null;
  }
}
