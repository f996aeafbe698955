import { type Contact, type Conversation, type TidingsClient, type User } from '@tidings/sdk';
import { lifetimeShort } from './lifetime-text';
import { clockTime, contentText, presenceText } from './message-lines';
import { isTooShort, type People } from './people';
import type { Door, KnownRoom, Rooms } from './rooms';
import { safeLine } from './safe-text';
import type { Screen } from './screen';
import { isAway } from './server-away';
import { shortened } from './width';

export interface ListDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  rooms: Rooms;
}

/** How many conversations a terminal lists, so that the latest ones stay in its window. */
const LISTED = 30;
/** How many are read at most, in pages of so many: no more are remembered either. */
const MOST = 500;
const PAGE = 100;
/** Columns for a piece of the last message. */
const PIECE = 36;

/** Lists of people and chats; the numbers of the last one open what they stand for. */
export class Lists {
  private doors: Door[] = [];
  /** The list of chats that is on the screen: what is unread in them changes in place. */
  private live: { key: string; lines: () => string[] } | null = null;
  private lists = 0;

  constructor(private readonly deps: ListDeps) {
    const { client, screen } = deps;
    if (!screen.interactive) return;
    client.on('unread', () => {
      if (this.live) screen.replace(this.live.key, this.live.lines());
    });
  }

  /** What a number of the last list stands for. */
  door(number: number): Door | undefined {
    return this.doors[number - 1];
  }

  /** Contacts with their presence, and who added this user. */
  async contacts(): Promise<void> {
    const { people, screen } = this.deps;
    const contacts = await people.loadContacts();
    this.doors = contacts.map(({ user }) => ({ user }));
    if (contacts.length === 0) screen.print('No contacts yet: /people finds people, /add NAME.');
    const presence = await people.presence(contacts.map(({ user }) => user.id));
    screen.print(
      ...contacts.map((contact, i) =>
        this.person(i, contact.user, presenceText(presence.get(contact.user.id)), contact),
      ),
    );
    const incoming = await people.incoming();
    if (incoming.length > 0) {
      const names = incoming.map((user) => safeLine(user.username)).join(', ');
      screen.print(`  They have added you: ${names} (/add NAME)`);
    }
  }

  /** People whose names begin so. */
  async people(prefix: string): Promise<void> {
    const { people, client, screen } = this.deps;
    const all = await people.search(prefix).catch((error: unknown) => {
      if (isTooShort(error)) return null;
      throw error;
    });
    if (all === null) return screen.print('Give at least the first two letters of the name.');
    const found = all.filter((u) => u.id !== client.session?.user.id);
    if (found.length === 0) return screen.print('Nobody found.');
    this.doors = found.map((user) => ({ user }));
    screen.print(...found.map((user, i) => this.person(i, user, '')));
  }

  /**
   * Chats and groups, the latest first; those that are remembered when the server is away. A
   * terminal shows the latest ones, or with `all` as many as are known.
   */
  async conversations(all = false): Promise<boolean> {
    const { client, screen } = this.deps;
    const key = `chats ${++this.lists}`;
    this.live = null;
    // Whoever sits there sees at once what is remembered, then what the server says.
    const most = all || !screen.interactive ? MOST : LISTED;
    const remembered = screen.interactive && this.remembered(key, most);
    const items: Conversation[] = [];
    try {
      let cursor: string | undefined;
      do {
        const page = await client.api.conversations({ cursor, limit: PAGE });
        items.push(...page.items);
        cursor = page.cursor;
        // The first page is what most people want, and is there at once.
        if (cursor !== undefined && screen.interactive) await this.listed(key, items, most);
      } while (cursor !== undefined && items.length < MOST);
    } catch (error) {
      if (!isAway(error)) throw error;
      if (items.length === 0) return remembered || this.remembered(key, most);
    }
    await this.listed(key, items, most);
    return items.length > 0;
  }

  /** Shows conversations as the server has told them. */
  private async listed(key: string, items: readonly Conversation[], most: number): Promise<void> {
    const { rooms, people } = this.deps;
    // The latest is met last, so that it is remembered longest.
    for (const conversation of [...items].reverse()) rooms.learn(conversation);
    const users = items.flatMap(({ id }) => rooms.get(id)?.userId ?? []);
    for (let i = 0; i < users.length; i += PAGE) await people.lookUp(users.slice(i, i + PAGE));
    const shown = items.slice(0, most);
    const more = moreText(items.length - shown.length);
    this.show(
      key,
      shown.map(({ id }) => id),
      () => [
        ...shown.flatMap((one, i) => {
          const room = rooms.get(one.id);
          return room ? [this.conversation(i, room, one)] : [];
        }),
        ...more,
      ],
    );
  }

  private remembered(key: string, most: number): boolean {
    const all = this.deps.rooms.all().reverse();
    const known = all.slice(0, most);
    const more = moreText(all.length - known.length);
    this.show(
      key,
      known.map(({ conversationId }) => conversationId),
      () => [...known.map((room, i) => this.conversation(i, room)), ...more],
    );
    return known.length > 0;
  }

  private show(key: string, ids: readonly string[], lines: () => string[]): void {
    this.doors = ids.map((conversationId) => ({ conversationId }));
    this.live = { key, lines };
    this.deps.screen.replace(key, lines());
  }

  private conversation(index: number, room: KnownRoom, about?: Conversation): string {
    const { client, rooms, screen } = this.deps;
    const { bold, dim, good } = screen.style;
    const { conversationId, memberCount, userId } = room;
    const seconds = about?.messageTtlSeconds ?? client.lifetime(conversationId);
    const last = about?.lastMessage;
    const piece =
      last && last.content.kind !== 'event'
        ? `${clockTime(last.sentAt)} ${shortened(safeLine(contentText(last.content, last.deleted)), PIECE)}`
        : '';
    // What the server counted may be older than what has arrived since.
    const held = client.conversation(conversationId) !== undefined;
    const unread = about && !held ? about.unread : client.unread(conversationId);
    const remarks = [
      userId === undefined && memberCount !== undefined ? `${memberCount} members` : '',
      seconds === null ? '' : `⏱ ${lifetimeShort(seconds)}`,
      piece,
    ].filter((remark) => remark !== '');
    const end = remarks.map((remark) => dim(` · ${remark}`)).join('');
    const news = unread > 0 ? ` ${good(`(${unread} new)`)}` : '';
    return `${number(index)}  ${bold(rooms.name(conversationId))}${news}${end}`;
  }

  private person(index: number, user: User, about: string, contact?: Contact): string {
    const { bold, dim } = this.deps.screen.style;
    const full = safeLine([user.firstName, user.lastName ?? ''].join(' ').trim());
    const name = safeLine(user.username);
    const known = full === '' || full === name ? '' : ` (${full})`;
    const mutual = contact && !contact.mutual ? 'has not added you' : '';
    const remarks = [about, mutual].filter((remark) => remark !== '').join(', ');
    const end = remarks === '' ? '' : dim(` · ${remarks}`);
    return `${number(index)}  ${bold(name)}${known}${end}`;
  }
}

function moreText(count: number): string[] {
  return count > 0 ? [`     … ${count} more: /conversations all, or /chat NAME`] : [];
}

function number(index: number): string {
  return String(index + 1).padStart(3);
}
