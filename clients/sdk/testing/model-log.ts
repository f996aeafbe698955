import type { ConversationChange, HistoryMode, Message } from '@tidings/protocol/content';
import type { Receipt } from '@tidings/protocol/http';
import { id, ME, PEER, THIRD } from './factories';

/** One record of the log: a first append, a later copy of one, a change of one, or an event. */
export interface LogRecord {
  at: number;
  kind: 'message' | 'copy' | 'change' | 'event';
  conversationId: string;
  /** The message as this record carries it. */
  message: Message;
  previous: number;
  /** Of a change of a message. */
  changeId?: string;
}

/** A membership: entries in (from, until], known from its record at `joined` on. */
export interface Interval {
  from: number;
  joined: number;
  until: number | null;
}

/** Who hears of what happens. */
export interface LogListener {
  record(record: LogRecord): void;
  /** A member's marks rose; `by`: who raised them. */
  raised(conversationId: string, userId: string, by: unknown): void;
}

interface Conversation {
  records: LogRecord[];
  members: Map<string, Interval[]>;
  marks: Map<string, { delivered: number; read: number }>;
  history: HistoryMode;
  ttlSeconds: number | null;
  /** Every lifetime that its messages ever had, in seconds. */
  lifetimes: number[];
}

interface Seed {
  history: HistoryMode;
  founders: string[];
}

/** What each conversation is like when it begins; their ids differ from the first characters on. */
const SEEDS: Record<string, Seed> = {
  'a-direct-one': { history: 'joined', founders: [ME, PEER] },
  'b-first-group': { history: 'joined', founders: [ME, PEER, THIRD] },
  'c-open-group': { history: 'all', founders: [PEER] },
  'd-later-group': { history: 'joined', founders: [PEER, THIRD] },
};
export const CONVERSATIONS = Object.keys(SEEDS);

/** What a send brings along. */
type Written = Pick<Message, 'messageId' | 'senderId' | 'content'>;

/**
 * All conversations as log and storage have them, small and without any infrastructure: entries,
 * changes, memberships as intervals, lifetimes and marks, by the rules of docs/PROTOCOL.md.
 */
export class ModelLog {
  private readonly conversations = new Map<string, Conversation>();
  private readonly listeners: LogListener[] = [];
  private position = 0;
  private ids = 0;

  /** `now`: Unix milliseconds on the server. */
  constructor(readonly now: () => number) {}

  /** Position of the last record of all. */
  get end(): number {
    return this.position;
  }

  listen(listener: LogListener): void {
    this.listeners.push(listener);
  }

  /** Ids of the conversations that have begun, sorted. */
  begun(): string[] {
    return [...this.conversations.keys()].sort();
  }

  /** Appends a message; a known id gives a copy of the first append. */
  append(conversationId: string, written: Written): LogRecord {
    const { ttlSeconds } = this.conversation(conversationId);
    const first = this.find(conversationId, written.messageId);
    const at = ++this.position;
    const life = ttlSeconds === null ? {} : { expiresAt: this.time(ttlSeconds * 1000) };
    const message: Message = first
      ? { ...this.current(conversationId, first), position: String(at) }
      : {
          ...written,
          conversationId,
          position: String(at),
          sentAt: this.time(),
          version: '0',
          ...life,
        };
    return this.write({ at, kind: first ? 'copy' : 'message', conversationId, message });
  }

  /** Appends somebody's new message. */
  speak(conversationId: string, senderId: string): LogRecord {
    const messageId = this.newId(500_000);
    const content = { kind: 'text', text: `log ${this.ids}` } as const;
    return this.append(conversationId, { messageId, senderId, content });
  }

  /**
   * Appends a change, once per id; `content` null: a deletion. Null: there is no such message for
   * this user.
   */
  change(
    conversationId: string,
    messageId: string,
    content: Message['content'] | null,
    changeId = this.newId(700_000),
  ): LogRecord | null {
    const { records } = this.conversation(conversationId);
    const known = records.find((r) => r.changeId === changeId);
    if (known) return known;
    const target = this.visible(conversationId).find((m) => m.messageId === messageId);
    if (!target || target.content.kind === 'event') return null;
    const at = ++this.position;
    const after: Pick<Message, 'content' | 'deleted'> = content
      ? { content }
      : { content: { kind: 'deleted' }, deleted: true };
    const { message: first } = this.find(conversationId, messageId)!;
    const message = { ...first, ...after, version: String(at) };
    return this.write({ at, kind: 'change', conversationId, message, changeId });
  }

  /** Another lifetime of the messages to come; null: they stay. */
  setLifetime(conversationId: string, seconds: number | null): void {
    const conversation = this.conversation(conversationId);
    conversation.ttlSeconds = seconds;
    if (seconds !== null) conversation.lifetimes.push(seconds);
    this.event(conversationId, { kind: 'ttl', messageTtlSeconds: seconds });
  }

  /** Every lifetime that messages of a conversation ever had, in seconds. */
  lifetimes(conversationId: string): readonly number[] {
    return this.conversation(conversationId).lifetimes;
  }

  /** Adds a user who is no member, or removes a member. */
  toggle(conversationId: string, userId: string): void {
    const conversation = this.conversation(conversationId);
    const userIds = [userId];
    const present = this.isMember(conversationId, userId);
    const { history } = conversation;
    const { at } = this.event(
      conversationId,
      present ? { kind: 'removed', userIds } : { kind: 'added', userIds, history },
      (position) => this.move(conversation, userId, position),
    );
    if (at !== this.position) throw new Error('a change of a conversation is one record');
  }

  /** Raises a present member's marks; what lies beyond the end is refused. */
  raise(
    conversationId: string,
    userId: string,
    marks: { delivered?: number; read?: number },
    by?: unknown,
  ): void {
    if (!this.isMember(conversationId, userId)) return;
    const held = this.marks(conversationId, userId);
    const read = Math.max(held.read, marks.read ?? 0);
    const delivered = Math.max(held.delivered, marks.delivered ?? 0, read);
    if (read > this.end || delivered > this.end) throw new Error('a mark beyond the end');
    if (read === held.read && delivered === held.delivered) return;
    this.conversation(conversationId).marks.set(userId, { delivered, read });
    for (const listener of this.listeners) listener.raised(conversationId, userId, by);
  }

  /** The first append of a message id. */
  find(conversationId: string, messageId: string): LogRecord | undefined {
    const { records } = this.conversation(conversationId);
    return records.find((r) => r.kind === 'message' && r.message.messageId === messageId);
  }

  /** The user's newest membership as of a position; null: never one. */
  interval(conversationId: string, userId: string, at = this.position): Interval | null {
    const all = this.conversation(conversationId).members.get(userId) ?? [];
    return all.findLast((i) => i.joined <= at) ?? null;
  }

  isMember(conversationId: string, userId: string = ME, at = this.position): boolean {
    const interval = this.interval(conversationId, userId, at);
    return interval !== null && (interval.until === null || interval.until > at);
  }

  /** Who a conversation began with, and what later members see. */
  seed(conversationId: string): Seed {
    return SEEDS[conversationId]!;
  }

  /** How often this client's user has become a member. */
  memberships(conversationId: string): number {
    return this.conversation(conversationId).members.get(ME)?.length ?? 0;
  }

  /** Whether a record is sent to this client's user. */
  sees({ conversationId, at, kind, message }: LogRecord): boolean {
    const interval = this.interval(conversationId, ME, at);
    if (!interval || (interval.until !== null && interval.until < at)) return false;
    return (kind === 'change' ? Number(message.position) : at) > interval.from;
  }

  /** Every message ever, expired and invisible ones included, as it was at a position. */
  everything(conversationId: string, applied = this.position): Message[] {
    const messages = new Map<string, Message>();
    for (const { at, kind, message } of this.conversation(conversationId).records) {
      if (at > applied || kind === 'copy') continue;
      if (!messages.get(message.messageId)?.deleted) messages.set(message.messageId, message);
    }
    return [...messages.values()];
  }

  /** What this client's user may see, ascending; nothing for an outsider. */
  visible(conversationId: string, applied = this.position, asOf = this.now()): Message[] {
    if (!this.isMember(conversationId, ME, applied)) return [];
    const { from } = this.interval(conversationId, ME, applied)!;
    return this.everything(conversationId, applied).filter(
      (m) => Number(m.position) > from && isAlive(m, asOf),
    );
  }

  /** Position of the last entry; 0: none. A copy is none: storage has it already. */
  last(conversationId: string, applied = this.position): number {
    const { records } = this.conversation(conversationId);
    return records.findLast((r) => r.at <= applied && r.kind !== 'copy')?.at ?? 0;
  }

  unread(conversationId: string, applied = this.position): number {
    const { read } = this.marks(conversationId, ME);
    return this.visible(conversationId, applied).filter(
      (m) =>
        Number(m.position) > read &&
        m.senderId !== ME &&
        m.content.kind !== 'event' &&
        m.deleted !== true,
    ).length;
  }

  /** A user's marks as they were raised; positions. */
  marks(conversationId: string, userId: string): { delivered: number; read: number } {
    const { marks } = this.conversation(conversationId);
    return marks.get(userId) ?? { delivered: 0, read: 0 };
  }

  /** The members' marks, capped at the last entry, by user id. */
  receipts(conversationId: string, applied = this.position): Receipt[] {
    const { members } = this.conversation(conversationId);
    const last = this.last(conversationId, applied);
    const capped = (mark: number): string => String(Math.min(mark, last));
    return [...members.keys()]
      .filter((userId) => this.isMember(conversationId, userId, applied))
      .sort()
      .map((userId) => {
        const { delivered, read } = this.marks(conversationId, userId);
        return { userId, delivered: capped(delivered), read: capped(read) };
      });
  }

  private conversation(conversationId: string): Conversation {
    let known = this.conversations.get(conversationId);
    if (known) return known;
    const { history, founders } = SEEDS[conversationId]!;
    const members = new Map(founders.map((u) => [u, [{ from: 0, joined: 0, until: null }]]));
    known = { records: [], members, marks: new Map(), history, ttlSeconds: null, lifetimes: [] };
    this.conversations.set(conversationId, known);
    const conversationKind = conversationId === CONVERSATIONS[0] ? 'direct' : 'group';
    this.event(conversationId, { kind: 'created', conversationKind, userIds: founders }, (at) => {
      for (const [interval] of known.members.values()) interval!.joined = at;
    });
    return known;
  }

  /** Appends the record of a change; `apply`: what it does, before anybody hears of it. */
  private event(
    conversationId: string,
    event: ConversationChange,
    apply?: (at: number) => void,
  ): LogRecord {
    const at = ++this.position;
    apply?.(at);
    const message: Message = {
      conversationId,
      position: String(at),
      messageId: this.newId(600_000),
      senderId: PEER,
      content: { kind: 'event', event },
      sentAt: this.time(),
      version: '0',
    };
    return this.write({ at, kind: 'event', conversationId, message });
  }

  private move(conversation: Conversation, userId: string, at: number): void {
    const { members, history } = conversation;
    const intervals = members.get(userId) ?? [];
    members.set(userId, intervals);
    const last = intervals.at(-1);
    if (last?.until === null) last.until = at;
    else intervals.push({ from: history === 'all' ? 0 : at - 1, joined: at, until: null });
  }

  private current(conversationId: string, { message }: LogRecord): Message {
    return this.everything(conversationId).find((m) => m.messageId === message.messageId)!;
  }

  private write(record: Omit<LogRecord, 'previous'>): LogRecord {
    const { records } = this.conversation(record.conversationId);
    const full = { ...record, previous: records.at(-1)?.at ?? 0 };
    records.push(full);
    for (const listener of this.listeners) listener.record(full);
    return full;
  }

  private newId(base: number): string {
    return id(base + ++this.ids);
  }

  private time(inMs = 0): string {
    return new Date(this.now() + inMs).toISOString();
  }
}

/** Whether a message has not expired at a time. */
export function isAlive({ expiresAt }: Message, asOf: number): boolean {
  return expiresAt === undefined || Date.parse(expiresAt) > asOf;
}
