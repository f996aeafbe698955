import { randomUUID } from 'node:crypto';
import type { Member, MemberRole, TidingsClient, User } from '@tidings/sdk';
import { LIMITS } from '@tidings/protocol/limits';
import type { Chat } from './chat';
import { confirmed } from './confirm';
import { lifetimeText, readLifetime } from './lifetime-text';
import type { People } from './people';
import type { Door, Rooms } from './rooms';
import { safeLine } from './safe-text';
import type { Screen } from './screen';

export interface GroupCommandDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  rooms: Rooms;
  chat: Chat;
  /** The user of a name; says so when there is none, or when it is oneself. */
  find(name: string): Promise<User | undefined>;
  /** Opens a chat. */
  enter(door: Door): Promise<void>;
}

/** So many words of a title are taken for names at most. */
const MAX_ASKED = 10;

const ROLES: readonly string[] = ['owner', 'admin', 'member'] satisfies MemberRole[];

/** Commands about groups, their members and the lifetime of messages. */
export class GroupCommands {
  constructor(private readonly deps: GroupCommandDeps) {}

  /** Carries out a command; null: it is not one of these. */
  handle(name: string, argument: string, signal: AbortSignal): Promise<void> | null {
    switch (name) {
      case '/group':
        return this.make(argument, signal);
      case '/add':
        return argument.startsWith('@') ? this.add(argument) : null;
      case '/kick':
        return this.kick(argument);
      case '/leave':
        return this.leave();
      case '/title':
        return this.title(argument);
      case '/role':
        return this.role(argument);
      case '/members':
        return this.members();
      case '/ttl':
        return this.lifetime(argument);
      default:
        return null;
    }
  }

  private async make(argument: string, signal: AbortSignal): Promise<void> {
    const { client, chat, rooms } = this.deps;
    const parts = await this.titleAndNames(argument);
    if (!parts) return;
    const users = await this.named(parts.names);
    if (!users) return;
    const group = await client.createGroup({
      requestId: randomUUID(),
      title: parts.title,
      userIds: users.map((user) => user.id),
    });
    rooms.learn(group);
    if (signal.aborted)
      return chat.status(`the group ${rooms.name(group.id)} is made: /conversations`);
    await this.deps.enter({ conversationId: group.id });
  }

  /** What is the title, and who is meant; names without `@` are asked about. Null: neither. */
  private async titleAndNames(argument: string): Promise<{ title: string; names: string } | null> {
    const { chat, screen } = this.deps;
    const [first = ''] = argument.split(/\s+@/u, 1);
    const title = first.trim();
    const names = argument.slice(first.length);
    if (title === '' || title.startsWith('@')) {
      chat.status('what shall it be called, and who is in it? /group TITLE @NAME @NAME');
      return null;
    }
    const words = title.split(/\s+/u);
    const people = await this.peopleAtEnd(words);
    if (people.length === 0 || !screen.interactive) return { title, names };
    const rest = words.slice(0, words.length - people.length).join(' ');
    const who = people.map((name) => safeLine(name)).join(' and ');
    const invite = await screen.ask(
      `Is ${who} to be in the group ${safeLine(rest)} (y), or part of its title (n)? [y]`,
    );
    if (invite === null) return null;
    if (!['', 'y', 'yes'].includes(invite.trim().toLowerCase())) return { title, names };
    return { title: rest, names: `${people.map((name) => ` @${name}`).join('')}${names}` };
  }

  /** Words at the end of a title that are names of people; not the first word. */
  private async peopleAtEnd(words: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    for (const word of words.slice(1).slice(-MAX_ASKED).reverse()) {
      const user = await this.deps.people.byName(word).catch(() => undefined);
      if (!user) break;
      found.unshift(word);
    }
    return found;
  }

  private async add(argument: string): Promise<void> {
    const group = this.group();
    const users = group === null ? null : await this.named(argument);
    if (group === null || !users || users.length === 0) return;
    await this.deps.client.addMembers(
      group,
      users.map((user) => user.id),
    );
  }

  private async kick(argument: string): Promise<void> {
    const { client, chat } = this.deps;
    const group = this.group();
    if (group === null) return;
    const users = await this.named(argument);
    if (users?.length === 0) return chat.status('whom? /kick @NAME');
    for (const user of users ?? []) await client.removeMember(group, user.id);
  }

  private async leave(): Promise<void> {
    const { client, chat, rooms } = this.deps;
    const group = this.group();
    if (group === null) return;
    const name = rooms.name(group);
    if (!(await confirmed(this.deps.screen, `Leave the group ${name}?`))) return;
    await client.leave(group);
    rooms.forget(group);
    if (chat.current?.conversationId === group) chat.close();
    chat.status(`you have left ${name}`);
  }

  private async title(argument: string): Promise<void> {
    const { client, chat } = this.deps;
    const group = this.group();
    if (group === null) return;
    const title = argument.trim();
    if (title === '') return chat.status('what shall it be called? /title NEW TITLE');
    await client.changeConversation(group, { title });
  }

  private async role(argument: string): Promise<void> {
    const { client, chat } = this.deps;
    const group = this.group();
    if (group === null) return;
    const role = argument.trim().split(/\s+/u).at(-1) ?? '';
    const users = ROLES.includes(role) ? await this.named(argument) : [];
    if (users?.length === 0) return chat.status('/role @NAME admin, member or owner');
    for (const user of users ?? []) await client.setRole(group, user.id, role as MemberRole);
  }

  private async members(): Promise<void> {
    const { client, people, screen } = this.deps;
    const group = this.group();
    if (group === null) return;
    const all: Member[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.members(group, { cursor, limit: 100 });
      all.push(...page.items);
      cursor = page.cursor;
    } while (cursor !== undefined);
    for (let i = 0; i < all.length; i += 100) {
      await people.lookUp(all.slice(i, i + 100).map((m) => m.userId));
    }
    const me = client.currentLogin?.user.id;
    const { bold, dim } = screen.style;
    const order = (member: Member): string =>
      ROLES.indexOf(member.role) + people.name(member.userId).toLowerCase();
    all.sort((a, b) => order(a).localeCompare(order(b)));
    screen.print(
      ...all.map(({ userId, role }) => {
        const you = userId === me ? dim(' · you') : '';
        return `     ${bold(people.name(userId))}${role === 'member' ? '' : dim(` · ${role}`)}${you}`;
      }),
    );
  }

  private async lifetime(argument: string): Promise<void> {
    const { client, chat } = this.deps;
    const id = chat.here?.conversationId;
    if (id === undefined) return chat.status('open a chat first');
    if (argument.trim() === '') {
      const seconds = client.lifetime(id);
      const now = seconds === null ? 'stay' : `disappear after ${lifetimeText(seconds)}`;
      return chat.status(`messages ${now}; /ttl 1h or /ttl off changes that for new ones`);
    }
    const seconds = readLifetime(argument);
    if (seconds === undefined) return chat.status('how long? /ttl 30s, 10m, 1h, 7d, 4w or off');
    if (seconds !== null && (seconds < LIMITS.ttlMinSeconds || seconds > LIMITS.ttlMaxSeconds)) {
      const [least, most] = [LIMITS.ttlMinSeconds, LIMITS.ttlMaxSeconds].map(lifetimeText);
      return chat.status(`messages can stay from ${least!} to ${most!}, or for good: /ttl off`);
    }
    await client.changeConversation(id, { messageTtlSeconds: seconds });
  }

  /** The group in which the command was typed; says so when there is none. */
  private group(): string | null {
    const { here } = this.deps.chat;
    if (here?.conversationId !== undefined && !here.user) return here.conversationId;
    this.deps.chat.status('open a group first: /conversations lists them, /group makes one');
    return null;
  }

  /** The users whose names begin with @; null: one of them cannot be found. */
  private async named(argument: string): Promise<User[] | null> {
    const users: User[] = [];
    for (const [, name] of argument.matchAll(/(?:^|\s)@(\S+)/gu)) {
      const user = await this.deps.find(name!);
      if (!user) return null;
      users.push(user);
    }
    return users;
  }
}
