import { tinyDigest } from './tiny-ids';

/** A message as the page describes it; what the page does not name is not looked at. */
export interface TinyMessage {
  conversationId: string;
  position: string;
  messageId: string;
  senderId: string;
  content?: { kind: string; text?: string; event?: { kind: string } };
  version: string;
  deleted?: boolean;
  expiresAt?: string;
}

export interface TinyConversation {
  messages: Map<string, TinyMessage>;
  /** Everything up to here is held. */
  have: bigint;
  /** Pushed entries above a gap, by position. */
  aside: Map<bigint, bigint | null>;
  unread: number;
  /** Older messages exist that were never fetched. */
  more: boolean;
}

export type TinyFrame = Record<string, unknown> & { type: string };

/** One `synced` frame. */
export interface TinySynced {
  since?: string;
  complete?: boolean;
  delayed?: boolean;
  conversations: {
    conversationId: string;
    state: string;
    messages: TinyMessage[];
    more: boolean;
    upTo: string;
    digest: string;
    unread: number;
  }[];
}

/** What a device holds: pushes and answers of `sync`, merged by the page's section 3. */
export class TinyStore {
  readonly conversations = new Map<string, TinyConversation>();
  /** What each answer said, newest last. */
  readonly states: { conversationId: string; state: string }[] = [];
  since: string | undefined;

  /** `now`: the server's time as this device estimates it, Unix milliseconds. */
  constructor(private readonly now: () => number) {}

  /** The digest of what is shown. */
  digestOf(conversationId: string): string {
    return tinyDigest(this.shown(conversationId).map(lineOf));
  }

  /** What a person sees: held, in order. What has expired is dropped. */
  shown(conversationId: string): TinyMessage[] {
    const now = this.now();
    const held = this.conversations.get(conversationId)?.messages ?? new Map<string, TinyMessage>();
    for (const { messageId, expiresAt } of held.values()) {
      if (expiresAt !== undefined && Date.parse(expiresAt) <= now) held.delete(messageId);
    }
    return [...held.values()].sort((a, b) => (BigInt(a.position) < BigInt(b.position) ? -1 : 1));
  }

  /** Fields of the next `sync`: what is held, with digests where they say something. */
  asked(): Record<string, unknown> {
    if (this.since === undefined) return {};
    const conversations = [...this.conversations].map(([conversationId, held]) => {
      const lines = this.shown(conversationId)
        .filter((m) => BigInt(m.position) <= held.have)
        .map(lineOf);
      const known = lines.length >= 10 || !held.more;
      return {
        conversationId,
        position: String(held.have),
        ...(known && { digest: tinyDigest(lines) }),
      };
    });
    return { since: this.since, asOf: new Date(this.now()).toISOString(), conversations };
  }

  /** Takes a part of the answer to a `sync`. */
  apply({ conversations, since }: TinySynced): void {
    this.since = since ?? this.since;
    for (const part of conversations) {
      const { conversationId, state } = part;
      this.states.push({ conversationId, state });
      if (state === 'gone' || state === 'reset') this.conversations.delete(conversationId);
      if (state === 'gone') continue;
      const held = this.conversation(conversationId);
      for (const message of part.messages) keep(held, message);
      held.more ||= part.more || (state !== 'behind' && state !== 'same' && startsLate(part));
      held.unread = part.unread;
      raise(held, BigInt(part.upTo));
    }
  }

  /** Takes a `message`, `changed` or `conversation` frame; other frames say nothing to it. */
  push(frame: TinyFrame): void {
    if (frame['hidden'] === true) return;
    if (frame.type === 'message' || frame.type === 'changed') this.pushed(frame, frame);
    if (frame.type !== 'conversation') return;
    const content = { kind: 'event', event: frame['change'] };
    this.pushed({ ...frame, version: '0', content }, frame);
  }

  private pushed(entry: object, frame: TinyFrame): void {
    const message = entry as TinyMessage;
    const held = this.conversation(message.conversationId);
    keep(held, message);
    const own = BigInt(frame.type === 'changed' ? message.version : message.position);
    const previous = frame['previous'] as string | null | undefined;
    held.aside.set(own, previous == null ? null : BigInt(previous));
    raise(held, held.have);
  }

  private conversation(id: string): TinyConversation {
    let held = this.conversations.get(id);
    if (!held) {
      held = { messages: new Map(), have: 0n, aside: new Map(), unread: 0, more: false };
      this.conversations.set(id, held);
    }
    return held;
  }
}

function lineOf(message: TinyMessage): string {
  return `${message.position}:${message.messageId}:${message.version}`;
}

/** Raises `have`, and again by what was kept aside. */
function raise(held: TinyConversation, to: bigint): void {
  if (to > held.have) held.have = to;
  for (let moved = true; moved;) {
    moved = false;
    for (const [position, previous] of held.aside) {
      if (position > held.have && previous !== null && previous > held.have) continue;
      held.aside.delete(position);
      if (position > held.have) held.have = position;
      moved = true;
    }
  }
}

/** A lower position replaces a higher one; of what is said the newest counts. */
function keep(held: TinyConversation, message: TinyMessage): void {
  const known = held.messages.get(message.messageId);
  if (known && BigInt(known.position) < BigInt(message.position)) return;
  if (known?.position === message.position && !isNewer(message, known)) return;
  held.messages.set(message.messageId, message);
}

/** The highest version counts, but of a deletion and an edit the deletion, of two the first. */
function isNewer(one: TinyMessage, other: TinyMessage): boolean {
  const [gone, wasGone] = [one.deleted === true, other.deleted === true];
  if (gone !== wasGone) return gone;
  const later = BigInt(one.version) >= BigInt(other.version);
  return gone ? !later : later;
}

/** The first messages of a conversation that is new to us do not begin with its creation. */
function startsLate({ messages }: { messages: TinyMessage[] }): boolean {
  return messages[0]?.content?.event?.kind !== 'created';
}
