import {
  TidingsError,
  type Contact,
  type Presence,
  type TidingsClient,
  type User,
} from '@tidings/sdk';
import { safeLine } from './safe-text';
import { isAway } from './server-away';

/** So many are watched at most; the chat on the screen goes before the list. */
const MAX_WATCHED = 500;

/** A part of the screen that shows who is here. */
export type Place = 'chat' | 'list';

/** Users by name and id, as far as this program has met them. */
export class People {
  private readonly users = new Map<string, User>();
  private readonly asked = new Set<string>();
  private list: readonly Contact[] = [];
  private readonly shown = new Map<Place, readonly string[]>();

  constructor(
    private readonly client: TidingsClient,
    /** Told when somebody is known who was not. */
    private readonly changed: () => void = () => undefined,
  ) {
    client.on('account', ({ contacts }) => {
      if (contacts) this.keep(contacts);
    });
  }

  /** Everybody met so far. */
  all(): User[] {
    return [...this.users.values()];
  }

  /** Contacts by name, as of the last time they were read. */
  get contacts(): readonly Contact[] {
    return this.list;
  }

  /** A user's name for the screen; a piece of the id while it is unknown. */
  name(userId: string): string {
    const user = this.users.get(userId);
    return user ? safeLine(user.username) : `user ${userId.slice(0, 8)}`;
  }

  /** Whether the name of this user is known. */
  knows(userId: string): boolean {
    return this.users.has(userId);
  }

  /** A user that was met. */
  get(userId: string): User | undefined {
    return this.users.get(userId);
  }

  /** Notes a user. */
  learn(user: User): void {
    const known = this.users.get(user.id);
    this.users.set(user.id, user);
    if (known?.username !== user.username) this.changed();
  }

  /** Asks for the names of users once; settles when they are known or cannot be told. */
  async lookUp(userIds: readonly string[]): Promise<void> {
    const unknown = userIds.filter((id) => !this.users.has(id) && !this.asked.has(id));
    if (unknown.length === 0) return;
    for (const id of unknown) this.asked.add(id);
    try {
      for (const user of (await this.client.api.users(unknown)).items) this.learn(user);
    } catch {
      for (const id of unknown) this.asked.delete(id);
    }
  }

  /** Reads the contacts; from then on they are kept fresh. */
  async loadContacts(): Promise<readonly Contact[]> {
    return this.keep(await this.client.account.contacts());
  }

  /** What is known of a contact. */
  contact(userId: string): Contact | undefined {
    return this.list.find(({ user }) => user.id === userId);
  }

  private keep(contacts: readonly Contact[]): readonly Contact[] {
    for (const { user } of contacts) this.learn(user);
    const nameOf = (contact: Contact): string => this.name(contact.user.id);
    this.list = [...contacts].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
    return this.list;
  }

  /** People who added this user and are not among the contacts. */
  async incoming(): Promise<User[]> {
    const { items } = await this.client.api.incomingContacts({ limit: 20 });
    for (const user of items) this.learn(user);
    return items;
  }

  /** Users whose name begins with a text; see {@link isTooShort}. */
  async search(prefix: string): Promise<User[]> {
    const { items } = await this.client.api.searchUsers(prefix === '' ? undefined : prefix);
    for (const user of items) this.learn(user);
    return items;
  }

  /** The user of this name; undefined when there is none. */
  async byName(name: string): Promise<User | undefined> {
    const wanted = comparable(name);
    const contact = this.list.find(({ user }) => comparable(user.username) === wanted);
    if (contact) return contact.user;
    const isWanted = (user: User): boolean => comparable(user.username) === wanted;
    try {
      return (await this.search(name)).find(isWanted);
    } catch (error) {
      if (isTooShort(error)) return undefined;
      // While the server is away, people that were met before can be written to.
      const known = isAway(error) ? this.all().find(isWanted) : undefined;
      if (known) return known;
      throw error;
    }
  }

  /** Whom a part of the screen shows from now on: their presence is kept fresh. */
  shows(place: Place, userIds: readonly string[]): void {
    this.shown.set(place, userIds);
    const me = this.client.currentLogin?.user.id;
    const all = [...(this.shown.get('chat') ?? []), ...(this.shown.get('list') ?? [])];
    const others = new Set(all.filter((userId) => userId !== me));
    this.client.watch([...others].slice(0, MAX_WATCHED));
  }

  /** Presence by user, as far as it may be seen; empty when it cannot be told. */
  async presence(userIds: readonly string[]): Promise<Map<string, Presence>> {
    if (userIds.length === 0) return new Map();
    try {
      const { items } = await this.client.api.presence(userIds.slice(0, 100));
      return new Map(items.map((presence) => [presence.userId, presence]));
    } catch {
      return new Map();
    }
  }
}

/** Whether a search was refused because its text is too short: then it is nobody's name either. */
export function isTooShort(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'invalid_request';
}

function comparable(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}
