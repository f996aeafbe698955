import { randomUUID } from 'node:crypto';
import type { Member, MemberRole, TidingsClient, User } from '@tidings/sdk';
import type { Chat } from './chat';
import { lifetimeText, readLifetime } from './lifetime-text';
import type { People } from './people';
import type { Rooms } from './rooms';
import type { Screen } from './screen';

export interface GroupCommandDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  rooms: Rooms;
  chat: Chat;
  /** The user of a name; says so when there is none, or when it is oneself. */
  find(name: string): Promise<User | undefined>;
}

const ROLES: readonly string[] = ['owner', 'admin', 'member'] satisfies MemberRole[];

/** Commands about groups, their members and the lifetime of messages. */
export class GroupCommands {
  constructor(private readonly deps: GroupCommandDeps) {}

  /** Carries out a command; false: it is not one of these. */
  async handle(name: string, argument: string): Promise<boolean> {
    switch (name) {
      case '/group':
        await this.make(argument);
        return true;
      case '/add':
        if (!argument.startsWith('@')) return false;
        await this.add(argument);
        return true;
      case '/kick':
        await this.kick(argument);
        return true;
      case '/leave':
        await this.leave();
        return true;
      case '/title':
        await this.title(argument);
        return true;
      case '/role':
        await this.role(argument);
        return true;
      case '/members':
        await this.members();
        return true;
      case '/ttl':
        await this.lifetime(argument);
        return true;
      default:
        return false;
    }
  }

  private async make(argument: string): Promise<void> {
    const { client, chat, rooms } = this.deps;
    const title = argument.split(/\s+@/u)[0]!.trim();
    if (title === '' || title.startsWith('@')) {
      return chat.status('what shall it be called, and who is in it? /group TITLE @NAME @NAME');
    }
    const users = await this.named(argument);
    if (!users) return;
    const group = await client.createGroup({
      requestId: randomUUID(),
      title,
      userIds: users.map((user) => user.id),
    });
    rooms.learn(group);
    await chat.open({ conversationId: group.id });
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
    await client.leave(group);
    chat.status(`you have left ${name}`);
    rooms.forget(group);
    if (chat.current?.conversationId === group) chat.close();
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
    const me = client.session?.user.id;
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
    const id = chat.current?.conversationId;
    if (id === undefined) return chat.status('open a chat first');
    if (argument.trim() === '') {
      const seconds = client.lifetime(id);
      const now = seconds === null ? 'stay' : `disappear after ${lifetimeText(seconds)}`;
      return chat.status(`messages ${now}; /ttl 1h or /ttl off changes that for new ones`);
    }
    const seconds = readLifetime(argument);
    if (seconds === undefined) return chat.status('how long? /ttl 30s, 10m, 1h, 7d, 4w or off');
    await client.changeConversation(id, { messageTtlSeconds: seconds });
  }

  /** The open group; says so when there is none. */
  private group(): string | null {
    const { current } = this.deps.chat;
    if (current?.conversationId !== undefined && !current.user) return current.conversationId;
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
