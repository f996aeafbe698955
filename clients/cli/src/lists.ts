import type { Contact, Conversation, TidingsClient, User } from '@tidings/sdk';
import { lifetimeShort } from './lifetime-text';
import { clockTime, contentText, presenceText } from './message-lines';
import { isTooShort, type People } from './people';
import { type Door, type KnownRoom, membersText, type Rooms } from './rooms';
import { safeLine } from './safe-text';
import { isTerminal, type Screen } from './screen';
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
const MAX_LISTED = 500;
const PAGE = 100;
/** Columns for a piece of the last message. */
const PIECE = 36;

/** A number that got another meaning may have been typed for the old one so long, milliseconds. */
const UNSEEN_MS = 1_000;

/** A list that was asked for. */
interface List {
  /** Which one it is since the beginning: a later one has a higher number. */
  at: number;
  /** What its numbers open. */
  doors: readonly Door[];
  /** Its lines as they are now, with or without the numbers. */
  lines(numbered: boolean): string[];
}

/**
 * Lists of people and chats; the numbers of the last one open what they stand for. In a terminal that one
 * alone shows numbers, and who is here and what is unread changes in it.
 */
export class Lists {
  private last: List | null = null;
  private asked = 0;
  /** What the numbers of the last list stood for before the server told better, and when that was. */
  private renumbered: { at: number; doors: readonly Door[] } | null = null;

  constructor(private readonly deps: ListDeps) {
    const { client, screen } = deps;
    if (!isTerminal(screen)) return;
    const again = (): void => {
      if (this.last) screen.renew(keyOf(this.last), this.last.lines(true));
    };
    client.on('unread', again);
    client.on('presence', again);
    client.on('account', again);
  }

  /** What a number of the last list stands for. */
  door(number: number): Door | undefined {
    return this.last?.doors[number - 1];
  }

  /**
   * Whether a number has just changed what it stands for: who typed it has not seen that. True once; the next
   * time it is meant.
   */
  hasJustChanged(number: number): boolean {
    const { renumbered } = this;
    this.renumbered = null;
    if (!renumbered || performance.now() - renumbered.at > UNSEEN_MS) return false;
    const before = renumbered.doors[number - 1];
    return before !== undefined && idOf(before) !== idOf(this.door(number));
  }

  /** Puts a list on the screen, or in its place there. */
  private show(list: List): void {
    const { people, screen } = this.deps;
    const before = this.last;
    const isLate = before !== null && before.at > list.at;
    screen.replace(keyOf(list), list.lines(!isLate));
    if (isLate) return;
    this.last = list;
    const isSame = before?.at === list.at;
    if (!isSame) this.renumbered = null;
    else if (before.doors.some((door, i) => idOf(door) !== idOf(list.doors[i]))) {
      this.renumbered = { at: performance.now(), doors: before.doors };
    }
    if (!isTerminal(screen)) return;
    people.shows('list', this.usersOf(list));
    if (before && !isSame) screen.renew(keyOf(before), before.lines(false));
  }

  private usersOf({ doors }: List): string[] {
    const { rooms } = this.deps;
    return doors.flatMap((door) =>
      'user' in door ? door.user.id : (rooms.get(door.conversationId)?.userId ?? []),
    );
  }

  /** Contacts with their presence, and who added this user. */
  async contacts(): Promise<void> {
    const { people, screen } = this.deps;
    const at = ++this.asked;
    const contacts = await people.loadContacts();
    if (contacts.length === 0) screen.print('No contacts yet: /people finds people, /add NAME.');
    else await this.showContacts(at, contacts);
    const incoming = await people.incoming();
    if (incoming.length > 0) {
      const names = incoming.map((user) => safeLine(user.username)).join(', ');
      screen.print(`  They have added you: ${names} (/add NAME)`);
    }
  }

  /** In a pipe who is here now, in a terminal all the time. */
  private async showContacts(at: number, contacts: readonly Contact[]): Promise<void> {
    const { client, people, screen } = this.deps;
    const ids = contacts.map(({ user }) => user.id);
    const now = isTerminal(screen) ? null : await people.presence(ids);
    const presenceOf = (id: string) => (now ? now.get(id) : client.presenceOf(id));
    this.show({
      at,
      doors: contacts.map(({ user }) => ({ user })),
      lines: (numbered) =>
        contacts.map((contact, i) => {
          const { user } = contact;
          const { mutual } = people.contact(user.id) ?? contact;
          const here = [presenceText(presenceOf(user.id)), mutual ? '' : 'has not added you'];
          return this.person(number(i, numbered), user, here);
        }),
    });
  }

  /** People whose names begin so. */
  async people(prefix: string): Promise<void> {
    const { people, client, screen } = this.deps;
    const at = ++this.asked;
    const all = await people.search(prefix).catch((error: unknown) => {
      if (isTooShort(error)) return null;
      throw error;
    });
    if (all === null) return screen.print('Give at least the first two letters of the name.');
    const found = all.filter((u) => u.id !== client.currentLogin?.user.id);
    if (found.length === 0) return screen.print('Nobody found.');
    this.show({
      at,
      doors: found.map((user) => ({ user })),
      lines: (numbered) => found.map((user, i) => this.person(number(i, numbered), user)),
    });
  }

  /**
   * Chats and groups, the latest first; those that are remembered when the server is away. A
   * terminal shows the latest ones, or with `all` as many as are known.
   */
  async conversations(all = false): Promise<boolean> {
    const { client, screen } = this.deps;
    const at = ++this.asked;
    // Whoever sits there sees at once what is remembered, then what the server says.
    const most = all || !screen.interactive ? MAX_LISTED : LISTED;
    const remembered = screen.interactive && this.remembered(at, most);
    const items: Conversation[] = [];
    try {
      let cursor: string | undefined;
      do {
        const page = await client.api.conversations({ cursor, limit: PAGE });
        items.push(...page.items);
        cursor = page.cursor;
        // The first page is what most people want, and is there at once.
        if (cursor !== undefined && screen.interactive) await this.listed(at, items, most);
      } while (cursor !== undefined && items.length < MAX_LISTED);
    } catch (error) {
      if (!isAway(error)) throw error;
      if (items.length === 0) return remembered || this.remembered(at, most);
    }
    await this.listed(at, items, most);
    return items.length > 0;
  }

  /** Shows conversations as the server has told them. */
  private async listed(at: number, items: readonly Conversation[], most: number): Promise<void> {
    const { rooms, people } = this.deps;
    // The latest is met last, so that it is remembered longest.
    for (const conversation of [...items].reverse()) rooms.learn(conversation);
    const users = items.flatMap(({ id }) => rooms.get(id)?.userId ?? []);
    for (let i = 0; i < users.length; i += PAGE) await people.lookUp(users.slice(i, i + PAGE));
    const shown = items.slice(0, most);
    const more = moreText(items.length - shown.length);
    this.show({
      at,
      doors: shown.map(({ id }) => ({ conversationId: id })),
      lines: (numbered) => [
        ...shown.flatMap((one, i) => {
          const room = rooms.get(one.id);
          return room ? [this.conversation(number(i, numbered), room, one)] : [];
        }),
        ...more,
      ],
    });
  }

  private remembered(at: number, most: number): boolean {
    const all = this.deps.rooms.all().reverse();
    const known = all.slice(0, most);
    const more = moreText(all.length - known.length);
    this.show({
      at,
      doors: known.map(({ conversationId }) => ({ conversationId })),
      lines: (numbered) => [
        ...known.map((room, i) => this.conversation(number(i, numbered), room)),
        ...more,
      ],
    });
    return known.length > 0;
  }

  private conversation(index: string, room: KnownRoom, about?: Conversation): string {
    const { client, rooms, screen } = this.deps;
    const { bold, dim, good } = screen.style;
    const { conversationId, userId } = room;
    const seconds = about?.messageTtlSeconds ?? client.lifetime(conversationId);
    const last = about?.lastMessage;
    const piece =
      last && last.content.kind !== 'event'
        ? `${clockTime(last.sentAt)} ${shortened(safeLine(contentText(last.content, last.deleted)), PIECE)}`
        : '';
    // What the server counted may be older than what has arrived since.
    const held = client.conversation(conversationId) !== undefined;
    const unread = about && !held ? about.unread : client.unread(conversationId);
    const here = userId === undefined ? undefined : client.presenceOf(userId);
    const remarks = [
      presenceText(here),
      membersText(room),
      seconds === null ? '' : `⏱ ${lifetimeShort(seconds)}`,
      piece,
    ].filter((remark) => remark !== '');
    const end = remarks.map((remark) => dim(` · ${remark}`)).join('');
    const news = unread > 0 ? ` ${good(`(${unread} new)`)}` : '';
    return `${index}  ${bold(rooms.name(conversationId))}${news}${end}`;
  }

  private person(index: string, user: User, about: readonly string[] = []): string {
    const { bold, dim } = this.deps.screen.style;
    const full = safeLine([user.firstName, user.lastName ?? ''].join(' ').trim());
    const name = safeLine(user.username);
    const known = full === '' || full === name ? '' : ` (${full})`;
    const remarks = about.filter((remark) => remark !== '').join(', ');
    const end = remarks === '' ? '' : dim(` · ${remarks}`);
    return `${index}  ${bold(name)}${known}${end}`;
  }
}

function moreText(count: number): string[] {
  return count > 0 ? [`     … ${count} more: /conversations all, or /chat NAME`] : [];
}

/** Of a conversation or a person: no two have the same. */
function idOf(door: Door | undefined): string | undefined {
  if (!door) return undefined;
  return 'user' in door ? door.user.id : door.conversationId;
}

/** The column before a name. */
function number(index: number, shown: boolean): string {
  return (shown ? String(index + 1) : '').padStart(3);
}

function keyOf({ at }: List): string {
  return `list ${at}`;
}
