import type { Contact, TidingsClient, User } from '@tidings/sdk';
import { ACCOUNT_HELP, ACCOUNT_NAMES, AccountCommands } from './account-commands';
import type { Chat } from './chat';
import type { Files } from './files';
import { friendly } from './friendly-errors';
import { presenceText } from './message-lines';
import type { People } from './people';
import { safeLine } from './safe-text';
import type { Screen } from './screen';
import { showTrace, TRACE_HELP } from './trace-command';

/** What `/help` says. */
export const HELP = [
  '/add NAME         add somebody to your contacts',
  '/contacts         list your contacts; type a number to open a chat',
  '/people [PREFIX]  look for people',
  '/chat NAME        open the chat with a contact (by number too) or with anybody by name',
  '/image PATH       send an image to the open chat; a caption may follow the path',
  '/file PATH        send a file to the open chat',
  '/save N [PATH]    save the image or file with this number',
  '/history          show earlier messages of this chat',
  TRACE_HELP,
  '/status           connection, unsent messages',
  ...ACCOUNT_HELP,
  '/quit             leave (also Ctrl-C); unsent messages are kept',
  'Anything else is sent to the open chat. //text sends a line that begins with /.',
];

const NAMES = [
  ...['/add', '/chat', '/contacts', '/file', '/help', '/history', '/image', '/people', '/quit'],
  ...['/save', '/status', '/trace'],
  ...ACCOUNT_NAMES,
];

/** Completes the name of a command. */
export function completeCommand(line: string): [string[], string] {
  const hits = line.startsWith('/') ? NAMES.filter((name) => name.startsWith(line)) : [];
  return [hits.map((name) => `${name} `), line];
}

/** What the commands of the chat program work on. */
export interface CommandDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  chat: Chat;
  files: Files;
}

/** Carries out what was typed. */
export class Commands {
  /** Commands about the account. */
  readonly account: AccountCommands;
  private listed: readonly User[] = [];

  constructor(private readonly deps: CommandDeps) {
    const { client, screen, people } = deps;
    const find = (name: string) => this.find(name);
    this.account = new AccountCommands({ client, screen, people, find });
  }

  /** Handles one line; false: the person wants to leave. Never throws. */
  async handle(line: string): Promise<boolean> {
    const { chat, screen } = this.deps;
    const text = line.trimEnd();
    if (text.trim() === '') return true;
    try {
      if (text.startsWith('//')) {
        chat.write(text.slice(1));
      } else if (text.startsWith('/')) {
        return await this.command(text);
      } else if (!chat.current && /^\d+$/.test(text.trim())) {
        await this.chat(text.trim());
      } else {
        chat.write(text);
      }
    } catch (error) {
      screen.print(screen.style.bad(friendly(error)));
    }
    return true;
  }

  private async command(text: string): Promise<boolean> {
    const { chat, screen } = this.deps;
    const [, name, argument] = /^(\S+)\s*(.*)$/s.exec(text) as unknown as [string, string, string];
    switch (name) {
      case '/add':
        await this.add(argument);
        return true;
      case '/contacts':
        await this.contacts();
        return true;
      case '/people':
        await this.search(argument);
        return true;
      case '/chat':
        await this.chat(argument);
        return true;
      case '/image':
        await this.image(argument);
        return true;
      case '/file':
        if (argument === '') chat.status('which file? /file PATH');
        else await chat.attach(argument);
        return true;
      case '/save':
        await this.save(argument);
        return true;
      case '/history':
        await chat.earlier();
        return true;
      case '/trace':
        await showTrace({ ...this.deps, here: () => chat.conversationId }, argument);
        return true;
      case '/status':
        this.status();
        return true;
      case '/help':
        screen.print(...HELP);
        return true;
      case '/quit':
        return false;
      default:
        if (await this.account.handle(name, argument)) return true;
        screen.print(`There is no command ${safeLine(name)}; /help lists them.`);
        return true;
    }
  }

  /** Lists contacts with their numbers and presence, and who added this user. */
  async contacts(): Promise<void> {
    const { people, screen } = this.deps;
    const contacts = await people.loadContacts();
    this.listed = contacts.map(({ user }) => user);
    if (contacts.length === 0) screen.print('No contacts yet: /people finds people, /add NAME.');
    const presence = await people.presence(this.listed.map((user) => user.id));
    screen.print(
      ...contacts.map((contact, i) =>
        this.entry(i, contact.user, presenceText(presence.get(contact.user.id)), contact),
      ),
    );
    const incoming = await people.incoming();
    if (incoming.length > 0) {
      const names = incoming.map((user) => safeLine(user.username)).join(', ');
      screen.print(`  They have added you: ${names} (/add NAME)`);
    }
  }

  private entry(index: number, user: User, about: string, contact?: Contact): string {
    const { bold, dim } = this.deps.screen.style;
    const full = safeLine([user.firstName, user.lastName ?? ''].join(' ').trim());
    const name = safeLine(user.username);
    const known = full === '' || full === name ? '' : ` (${full})`;
    const mutual = contact && !contact.mutual ? 'has not added you' : '';
    const remarks = [about, mutual].filter((remark) => remark !== '').join(', ');
    const end = remarks === '' ? '' : dim(` · ${remarks}`);
    return `${String(index + 1).padStart(3)}  ${bold(name)}${known}${end}`;
  }

  private async add(name: string): Promise<void> {
    const { people, client, chat, screen } = this.deps;
    if (name === '') return chat.status('whom? /add NAME');
    const user = await this.find(name);
    if (!user) return;
    await client.api.addContact(user.id);
    screen.print(`${people.name(user.id)} is one of your contacts now.`);
    await this.contacts();
  }

  private async search(prefix: string): Promise<void> {
    const { people, client, screen } = this.deps;
    const found = (await people.search(prefix)).filter((u) => u.id !== client.session?.user.id);
    if (found.length === 0) return screen.print('Nobody found.');
    this.listed = found;
    screen.print(...found.map((user, i) => this.entry(i, user, '')));
  }

  private async chat(argument: string): Promise<void> {
    const { chat } = this.deps;
    if (argument === '') return chat.status('with whom? /chat NAME, or a number of the list');
    const byNumber = /^\d+$/.test(argument) ? this.listed[Number(argument) - 1] : undefined;
    const user = byNumber ?? (await this.find(argument));
    if (user) await chat.open(user);
  }

  private async find(name: string): Promise<User | undefined> {
    const { people, client, screen } = this.deps;
    const user = await people.byName(name);
    if (user && user.id !== client.session?.user.id) return user;
    screen.print(user ? 'That is you.' : `Nobody is called ${safeLine(name)}.`);
    return undefined;
  }

  private async image(argument: string): Promise<void> {
    const { chat } = this.deps;
    const [, quoted, plain, caption] = /^(?:"([^"]+)"|(\S+))\s*(.*)$/s.exec(argument) ?? [];
    const path = quoted ?? plain;
    if (path === undefined)
      return chat.status('which image? /image PATH, or /image "PATH" CAPTION');
    await chat.attach(path, caption ?? '');
  }

  private async save(argument: string): Promise<void> {
    const { chat, files } = this.deps;
    const [, number, path] = /^(\d+)(?:\s+(.+))?$/s.exec(argument) ?? [];
    if (number === undefined) return chat.status('which one? /save N');
    chat.status(`saved: ${await files.save(Number(number), path)}`);
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
