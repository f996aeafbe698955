import type { Message } from '@tidings/protocol/content';
import { checkHistory, type HistoryReport } from '../../tools/load/check';
import { type HistoryEntry, HistoryWriter, monotonicNs } from '../../tools/load/history';
import { longestSilence } from '../../tools/load/silence';

/** A device, and whose it is, by the names that they have in a history. */
export interface Whose {
  u: string;
  d: string;
}

/** A message as it was seen: events of the server are left out of histories. */
type Seen = Pick<Message, 'messageId' | 'position'> & Partial<Pick<Message, 'content'>>;

/** The history of one fault run, as the load tool's checker reads it, and what that says of it. */
export class FaultHistory {
  private readonly writer: HistoryWriter;
  private readonly members = new Map<string, string[]>();
  private readonly devices = new Map<string, string[]>();

  constructor(path: string) {
    this.writer = new HistoryWriter(path);
  }

  /** A device that should come to hold everything of a conversation. */
  joined({ u, d }: Whose, conversationId: string): void {
    const members = listOf(this.members, conversationId);
    if (!members.includes(u)) members.push(u);
    listOf(this.devices, u).push(d);
  }

  /** A member of whose devices none is looked at. */
  unseen(u: string, conversationId: string): void {
    listOf(this.members, conversationId).push(u);
  }

  invoked(device: Whose, conversationId: string, messageId: string, text: string): void {
    const send = { f: 'send', c: conversationId, cid: messageId } as const;
    this.writer.record({ k: 'invoke', ...device, ...send, v: text });
  }

  acknowledged(device: Whose, conversationId: string, { messageId, position }: Seen): void {
    const send = { f: 'send', c: conversationId, cid: messageId } as const;
    this.writer.record({ k: 'ok', ...device, ...send, seq: position });
  }

  failed(device: Whose, conversationId: string, messageId: string): void {
    this.writer.record({ k: 'fail', ...device, f: 'send', c: conversationId, cid: messageId });
  }

  /** `emit`: the application was shown a new message; `frame`: it was pushed. */
  observed(f: 'emit' | 'frame', device: Whose, conversationId: string, message: Seen): void {
    if (!isSent(message)) return;
    const { messageId: cid, position: seq, content } = message;
    const v = content?.kind === 'text' ? content.text : undefined;
    this.writer.record({ k: 'obs', f, ...device, c: conversationId, cid, seq, v });
  }

  /** What the server's history has of a conversation. */
  page(conversationId: string, messages: readonly Seen[]): void {
    this.writer.record({ k: 'obs', f: 'page', c: conversationId, v: entriesOf(messages) });
  }

  /** What a device holds of a conversation at rest. */
  final(device: Whose, conversationId: string, messages: readonly Seen[]): void {
    const v = entriesOf(messages);
    this.writer.record({ k: 'obs', f: 'final', ...device, c: conversationId, v });
  }

  /** A mark of the test: `fault` when it strikes and when it is over, else `phase`. */
  note(f: 'fault' | 'phase', words: string, device?: Whose): void {
    this.writer.record({ k: 'info', f, ...device, v: words });
  }

  /** A moment of this history, for {@link silenceMs}. */
  now(): number {
    return monotonicNs();
  }

  /**
   * The longest silence of any of these conversations between two moments, milliseconds; left out: of
   * all conversations.
   */
  silenceMs(fromNs: number, toNs: number, conversations?: readonly string[]): number {
    const scope = { fromNs, toNs, conversations: conversations && new Set(conversations) };
    return Math.round(longestSilence(this.writer.events, scope).ms);
  }

  /** Judges everything so far. */
  check(minAcknowledged: number): HistoryReport {
    const { members, devices } = this;
    return checkHistory(this.writer.events, { members, devices, minAcknowledged });
  }

  close(): void {
    this.writer.close();
  }
}

const isSent = ({ content }: Seen): boolean => content === undefined || content.kind === 'text';

const entriesOf = (messages: readonly Seen[]): HistoryEntry[] =>
  messages.filter(isSent).map(({ position, messageId }) => [position, messageId]);

function listOf(map: Map<string, string[]>, key: string): string[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}
