import type { TidingsClient, User } from '@tidings/sdk';
import { AccountCommands } from './account-commands';
import type { Chat } from './chat';
import type { Files } from './files';
import { friendly } from './friendly-errors';
import { GroupCommands } from './group-commands';
import { HELP } from './help';
import { Lists } from './lists';
import { MessageCommands } from './message-commands';
import type { People } from './people';
import type { Door, Rooms } from './rooms';
import { safeLine } from './safe-text';
import type { Screen } from './screen';
import { showTrace } from './trace-command';

/** What the commands of the chat program work on. */
export interface CommandDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  rooms: Rooms;
  chat: Chat;
  files: Files;
  /** Ends the login and removes what this machine remembers. */
  logOut(): Promise<void>;
}

const NUMBER = /^\d+$/;
/** Commands that show a list whose numbers open chats. */
const LISTING = /^\/(contacts|conversations|people|add(?!\s*@))\b/;

/** Carries out what was typed. */
export class Commands {
  /** Commands about the account. */
  readonly account: AccountCommands;
  private readonly groups: GroupCommands;
  private readonly messages: MessageCommands;
  private readonly lists: Lists;
  /** The line before this one listed something: a number may be meant as a choice. */
  private listed = false;

  constructor(private readonly deps: CommandDeps) {
    const find = (name: string) => this.find(name);
    this.account = new AccountCommands({ ...deps, find });
    this.groups = new GroupCommands({ ...deps, find });
    this.messages = new MessageCommands(deps);
    this.lists = new Lists(deps);
  }

  /** What is shown at the beginning: the chats, or the contacts of who has none. Never throws. */
  async begin(to?: string): Promise<void> {
    if (to !== undefined) return void (await this.handle(`/chat ${to}`));
    await this.friendly(async () => {
      if (!(await this.lists.conversations())) await this.lists.contacts();
    });
  }

  /** Handles one line; false: the person wants to leave. Never throws. */
  async handle(line: string): Promise<boolean> {
    const { chat } = this.deps;
    const text = line.trimEnd();
    if (text.trim() === '') return true;
    let stays = true;
    const listed = this.listed;
    this.listed = LISTING.test(text);
    await this.friendly(async () => {
      if (text.startsWith('//')) chat.write(text.slice(1));
      else if (text.startsWith('/')) stays = await this.command(text);
      else if (!NUMBER.test(text.trim())) chat.write(text);
      else if (!chat.current) await this.open(text.trim());
      else if (listed && this.lists.door(Number(text))) this.unsure(text.trim());
      else chat.write(text);
    });
    return stays;
  }

  /** A number behind a list, in an open chat: a choice or a message, which cannot be told. */
  private unsure(number: string): void {
    const choice = `/chat ${number} opens number ${number} of the list`;
    this.deps.chat.status(`"${number}" is not sent: ${choice}, ${number} again sends it`);
  }

  private async friendly(work: () => Promise<void>): Promise<void> {
    const { screen } = this.deps;
    try {
      await work();
    } catch (error) {
      screen.print(screen.style.bad(friendly(error)));
    }
  }

  private async command(text: string): Promise<boolean> {
    const { chat, screen } = this.deps;
    const [, name, argument] = /^(\S+)\s*(.*)$/s.exec(text) as unknown as [string, string, string];
    switch (name) {
      case '/contacts':
        await this.lists.contacts();
        return true;
      case '/conversations':
        if (!(await this.lists.conversations())) chat.status('no chats yet: /people, /chat NAME');
        return true;
      case '/people':
        await this.lists.people(argument);
        return true;
      case '/chat':
        await this.open(argument);
        return true;
      case '/history':
        await chat.earlier();
        return true;
      case '/trace':
        await showTrace({ ...this.deps, here: () => chat.conversationId }, argument);
        return true;
      case '/clear':
        chat.clear(true);
        return true;
      case '/status':
        this.status();
        return true;
      case '/help':
        screen.print(...HELP);
        return true;
      case '/quit':
        return false;
      case '/logout':
        return !(await this.logOut(argument));
      default:
        await this.other(name, argument);
        return true;
    }
  }

  private async other(name: string, argument: string): Promise<void> {
    for (const commands of [this.groups, this.messages, this.account]) {
      if (await commands.handle(name, argument)) return;
    }
    if (name === '/add') return this.add(argument);
    this.deps.screen.print(`There is no command ${safeLine(name)}; /help lists them.`);
  }

  private async add(name: string): Promise<void> {
    const { people, client, chat, screen } = this.deps;
    if (name === '') return chat.status('whom? /add NAME; in a group /add @NAME');
    const user = await this.find(name);
    if (!user) return;
    await client.api.addContact(user.id);
    screen.print(`${people.name(user.id)} is one of your contacts now.`);
    await this.lists.contacts();
  }

  private async open(argument: string): Promise<void> {
    const { chat } = this.deps;
    if (argument === '') return chat.status('with whom? /chat NAME, or a number of the list');
    const door = await this.door(argument);
    if (door) await chat.open(door);
  }

  /** What a number, a name or a title stands for. */
  private async door(argument: string): Promise<Door | undefined> {
    const { people, rooms } = this.deps;
    const listed = NUMBER.test(argument) ? this.lists.door(Number(argument)) : undefined;
    if (listed) return listed;
    const group = rooms.group(argument);
    // Anybody may give a group any title; a user name is one person's.
    const user = await (group
      ? people.byName(argument).catch(() => undefined)
      : this.find(argument));
    if (user) return { user };
    return group && { conversationId: group.conversationId };
  }

  private async find(name: string): Promise<User | undefined> {
    const { people, client, screen } = this.deps;
    const user = await people.byName(name);
    if (user && user.id !== client.session?.user.id) return user;
    screen.print(user ? 'That is you.' : `Nobody is called ${safeLine(name)}.`);
    return undefined;
  }

  /** True: it is done. What is not sent yet would be lost, so that is asked for. */
  private async logOut(argument: string): Promise<boolean> {
    const { client, chat } = this.deps;
    const { length } = client.unsent;
    if (length > 0 && argument.trim() !== 'anyway') {
      chat.status(`not sent yet: ${length}. /logout anyway drops them; /quit keeps them`);
      return false;
    }
    await this.deps.logOut();
    return true;
  }

  private status(): void {
    const { client, screen } = this.deps;
    const { session, gatewayId, unsent } = client;
    screen.print(
      `You are ${safeLine(session?.user.username ?? 'nobody')}.`,
      gatewayId === null ? `Connection: ${client.state}` : `Connection: online, by ${gatewayId}`,
      `Not sent yet: ${unsent.length}`,
    );
  }
}
