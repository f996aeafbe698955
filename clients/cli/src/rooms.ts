import type { Conversation, TidingsClient, User } from '@tidings/sdk';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { People } from './people';
import { safeLine } from './safe-text';

/** What is remembered of a conversation. */
export interface KnownRoom {
  conversationId: string;
  /** Whom a direct chat is with; without it a group. */
  userId?: string;
  title?: string;
  memberCount?: number;
  messageTtlSeconds?: number;
}

/** A chat that can be opened: by its conversation, or with a person. */
export type Door = { conversationId: string } | { user: User };

/** The conversation of everybody: the people who run the server write there, and nobody else. */
export function isAnnouncements(conversationId: string | undefined): boolean {
  return conversationId === EVERYONE_ID;
}

/** `5 members`, of a group; empty where nobody is counted. */
export function membersText({ conversationId, userId, memberCount }: KnownRoom): string {
  const counted = userId === undefined && memberCount !== undefined;
  return counted && !isAnnouncements(conversationId) ? `${memberCount} members` : '';
}

/** How many conversations are remembered; the one that was met least recently is let go. */
const MAX_KNOWN = 500;

/** Conversations by id, as far as this program has met them. */
export class Rooms {
  private readonly known = new Map<string, KnownRoom>();
  private readonly asked = new Set<string>();
  /** Titles of groups that this user is not in any more: for what is told about that. */
  private readonly former = new Map<string, string>();

  constructor(
    private readonly client: TidingsClient,
    private readonly people: People,
    /** Told when something is known that was not. */
    private readonly changed: () => void = () => undefined,
  ) {
    client.on('details', ({ conversation }) => this.learn(conversation));
  }

  /** Everything known, the one met last at the end. */
  all(): KnownRoom[] {
    return [...this.known.values()];
  }

  get(conversationId: string): KnownRoom | undefined {
    return this.known.get(conversationId);
  }

  /** Takes what an earlier run remembered. */
  recall(rooms: readonly KnownRoom[]): void {
    for (const room of rooms) {
      this.known.set(room.conversationId, room);
      this.client.recall(room);
    }
  }

  /** Notes a conversation as the server shows it. */
  learn({ id, kind, title, memberCount, members, messageTtlSeconds }: Conversation): void {
    const me = this.client.currentLogin?.user.id;
    const other = kind === 'direct' ? members?.find((m) => m.userId !== me)?.userId : undefined;
    const userId = other ?? this.known.get(id)?.userId;
    this.keep({ conversationId: id, userId, title, memberCount, messageTtlSeconds });
  }

  /** Notes with whom a direct chat is. */
  learnDirect(conversationId: string, userId: string): void {
    this.keep({ ...this.known.get(conversationId), conversationId, userId });
  }

  /** Whether the name of this conversation can be told. */
  knows(conversationId: string): boolean {
    const room = this.known.get(conversationId);
    if (!room) return false;
    return room.userId === undefined ? room.title !== undefined : this.people.knows(room.userId);
  }

  /** Asks for a conversation once; settles when it is known or cannot be told. */
  async lookUp(conversationId: string): Promise<void> {
    if (this.knows(conversationId) || this.asked.has(conversationId)) return;
    this.asked.add(conversationId);
    try {
      this.learn(await this.client.details(conversationId));
      const { userId } = this.known.get(conversationId)!;
      if (userId !== undefined) await this.people.lookUp([userId]);
    } catch {
      this.asked.delete(conversationId);
    }
  }

  /** Name for the screen: the person's, or the group's title. */
  name(conversationId: string): string {
    const room = this.known.get(conversationId);
    if (room?.userId !== undefined) return this.people.name(room.userId);
    const title = room ? room.title : this.former.get(conversationId);
    return title === undefined ? 'another chat' : safeLine(title);
  }

  /** The title of a group, also of one that this user was in; undefined: unknown, or a direct chat. */
  title(conversationId: string): string | undefined {
    const room = this.known.get(conversationId);
    const title = room ? room.title : this.former.get(conversationId);
    return title === undefined || room?.userId !== undefined ? undefined : safeLine(title);
  }

  /** The group of this title, the one met last. */
  group(title: string): KnownRoom | undefined {
    const wanted = title.trim().toLowerCase();
    const groups = this.all().filter((room) => room.userId === undefined);
    return groups.findLast((room) => safeLine(room.title ?? '').toLowerCase() === wanted);
  }

  /** Lets go of a conversation, e.g. after leaving it; its title stays for the rest of this run. */
  forget(conversationId: string): void {
    const title = this.known.get(conversationId)?.title;
    if (title !== undefined) this.former.set(conversationId, title);
    const [oldest] = this.former.keys();
    if (this.former.size > MAX_KNOWN) this.former.delete(oldest!);
    this.asked.delete(conversationId);
    if (this.known.delete(conversationId)) this.changed();
  }

  private keep(room: KnownRoom): void {
    const before = JSON.stringify(this.known.get(room.conversationId));
    this.known.delete(room.conversationId);
    this.known.set(room.conversationId, room);
    const [oldest] = this.known.keys();
    if (this.known.size > MAX_KNOWN) this.known.delete(oldest!);
    if (JSON.stringify(room) !== before) this.changed();
  }
}
