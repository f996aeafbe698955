import type { Message } from '@tidings/protocol/content';
import type { Presence } from '@tidings/protocol/http';
import {
  type ChangingOperation,
  type HistoryEvent,
  HistoryWriter,
  monotonicNs,
  type NewEvent,
  type SeenMessage,
} from '../../../tools/load/history';

/** A device, and whose it is, by the names that they have in a history. */
export interface Whose {
  u: string;
  d: string;
}

/** What somebody begins to do. */
export type Begun = { f: ChangingOperation } & Omit<NewEvent, 'k' | 'f'>;

/** The history of a run of people. What happens in conversations that are not of the run is left out. */
export class Diary {
  private readonly writer: HistoryWriter;
  private readonly conversations = new Set<string>();
  /** user id → name in the history */
  private readonly names = new Map<string, string>();

  constructor(path: string) {
    this.writer = new HistoryWriter(path);
  }

  get events(): readonly HistoryEvent[] {
    return this.writer.events;
  }

  get file(): string {
    return this.writer.file;
  }

  now(): number {
    return monotonicNs();
  }

  person(userId: string, name: string): void {
    this.names.set(userId, name);
  }

  /** `kind`: `direct`, or what who is added to the group sees. */
  conversation(c: string, kind: string, owner?: string): void {
    this.conversations.add(c);
    this.writer.record({ k: 'info', f: 'conversation', c, v: kind, x: owner });
  }

  knows(c: unknown): c is string {
    return this.conversations.has(c as string);
  }

  nameOf(userId: string): string {
    return this.names.get(userId) ?? userId;
  }

  begin(event: Begun): HistoryEvent {
    return this.writer.record({ k: 'invoke', ...event });
  }

  end(op: HistoryEvent, k: 'ok' | 'fail' | 'info', more: { seq?: string; v?: string } = {}): void {
    const { f, u, d, c, cid, x } = op;
    this.writer.record({ k, f, u, d, c, cid, x, op: op.i, ...more });
  }

  /** A mark that goes on the wire. */
  told(f: 'received' | 'read', whose: Whose, c: string, seq: string): void {
    this.writer.record({ k: 'invoke', f, ...whose, c, seq });
  }

  /** Messages that somebody was shown; events of the server are left out. */
  saw(
    f: 'frame' | 'emit' | 'answer' | 'page' | 'final',
    whose: Whose,
    c: string,
    messages: readonly Message[],
    more: Partial<NewEvent> = {},
  ): void {
    const m = messages.filter(isSaid).map((message) => this.seen(message));
    this.writer.record({ k: 'obs', f, ...whose, c, m, ...more });
  }

  /** An entry that was pushed and is no message. */
  event(whose: Whose, c: string, seq: string, s: string): void {
    this.writer.record({ k: 'obs', f: 'frame', ...whose, c, seq, s });
  }

  /** `s`: the connection on which it was pushed; left out: it was in an answer. */
  receipt(
    whose: Whose,
    c: string,
    userId: string,
    { delivered: seq, read: r, s }: { delivered: string; read: string; s?: string },
  ): void {
    this.writer.record({ k: 'obs', f: 'receipt', ...whose, c, x: this.nameOf(userId), seq, r, s });
  }

  /** `inv`: when the request began whose answer says so; left out: a device counts, or all is at rest. */
  unread(whose: Whose, c: string, n: number, inv?: number): void {
    this.writer.record({ k: 'obs', f: 'unread', ...whose, c, n, inv });
  }

  /** What somebody is told of others. */
  presence(whose: Whose, items: readonly Presence[], inv: number): void {
    for (const { userId, status: v, lastSeenAt } of items) {
      const n = lastSeenAt === null ? undefined : onThisClock(lastSeenAt);
      this.writer.record({ k: 'obs', f: 'presence', ...whose, x: this.nameOf(userId), v, n, inv });
    }
  }

  /** A connection begins to be opened, is open, is over. */
  socket(whose: Whose, s: string, v: 'opening' | 'open' | 'over'): void {
    this.writer.record({ k: 'info', f: 'socket', ...whose, s, v });
  }

  note(f: 'fault' | 'phase', words: string, whose?: Whose): void {
    this.writer.record({ k: 'info', f, ...whose, v: words });
  }

  close(): void {
    this.writer.close();
  }

  private seen({ messageId, position, version, senderId, ...rest }: Message): SeenMessage {
    const seen: SeenMessage = {
      cid: messageId,
      seq: position,
      u: this.nameOf(senderId),
      v: lineOf(rest.content),
    };
    if (version !== '0') seen.ver = version;
    if (rest.replyTo !== undefined) seen.re = rest.replyTo;
    if (rest.expiresAt !== undefined) {
      seen.e = onThisClock(rest.expiresAt);
    }
    return seen;
  }
}

/** A time of the server on the clock of the history, nanoseconds; the same for the same time. */
function onThisClock(at: string): number {
  return (Date.parse(at) - EPOCH_MS) * 1e6;
}

/** Unix milliseconds at which the monotonic clock was 0. */
const EPOCH_MS = Date.now() - monotonicNs() / 1e6;

const isSaid = ({ content }: Message): boolean => content.kind !== 'event';

/** A content in one line; null: deleted. */
export function lineOf(content: { kind: string } & Record<string, unknown>): string | null {
  switch (content.kind) {
    case 'deleted':
      return null;
    case 'text':
      return content['text'] as string;
    default: {
      const { mediaId, caption } = content as { mediaId?: string; caption?: string };
      return `${content.kind} ${mediaId} ${caption}`;
    }
  }
}
