import { StoppedError, type TidingsClient, type User } from '@tidings/sdk';
import { askedNow, carriedOut, type Asked } from './asked';
import { AccountCommands } from './account-commands';
import { Cancelled } from './cancelled';
import type { Chat } from './chat';
import { Completions } from './completions';
import type { Files } from './files';
import { friendly } from './friendly-errors';
import { GroupCommands } from './group-commands';
import { HELP } from './help';
import { Lists } from './lists';
import { MessageCommands } from './message-commands';
import type { People } from './people';
import type { Door, Rooms } from './rooms';
import { safeLine } from './safe-text';
import { isTerminal, type Entered, type Screen } from './screen';
import type { Tasks } from './tasks';
import { showTrace } from './trace-command';

/** What the commands of the chat program work on. */
export interface CommandDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  rooms: Rooms;
  chat: Chat;
  files: Files;
  tasks: Tasks;
  /** Ends the login and removes what this machine remembers. */
  logOut(): Promise<void>;
}

/** Whether the person stays; `quit`: leaves when what was typed is sent. */
export type Stays = 'stays' | 'quit' | 'gone';

const NUMBER = /^\d+$/;
/** Commands that show a list whose numbers open chats. */
const LISTING = /^\/(contacts|conversations|people|add(?!\s*@))\b/;
/** Commands that say whom the next line goes to: lines wait for them. */
const OPENING = /^\/(chat|group)(?=\s|$)/;
/** Commands that may ask: what looks like an answer is none of the messages then. */
const ASKING = /^\/(delete|leave|group|password)\b/;
const ANSWER = /^(y|yes|n|no)$/i;
/** It asks at once, whatever else is under way: what is typed behind it is nobody's message. */
const AT_ONCE = /^\/password\b/;
/** Commands without a deadline, which do not hold up others: the SDK asks until there is an answer. */
const PATIENT = /^\/(edit|delete|image|file|save)\b/;

/** Carries out what was typed. */
export class Commands {
  /** Commands about the account. */
  readonly account: AccountCommands;
  private readonly groups: GroupCommands;
  private readonly messages: MessageCommands;
  private readonly lists: Lists;
  /** The line before this one listed something: a number may be meant as a choice. */
  private listed = false;
  /** Commands that are carried out one after the other. */
  private turns: Promise<void> = Promise.resolve();
  /** Those that open a chat wait only for each other. */
  private openingTurns: Promise<void> = Promise.resolve();
  /** How many commands have still to say whom the next line goes to. */
  private openings = 0;
  /** The command that was the last to open a chat and could not; null: none, or something was typed since. */
  private unopened: string | null = null;
  /** In a pipe: a chat could not be opened, or a message had none to go to. */
  private strayed = false;
  /** Commands under way that may have a question yet. */
  private readonly asking = new Set<Asked>();
  /** Messages that wait for that. */
  private held: string[] = [];

  constructor(private readonly deps: CommandDeps) {
    const find = (name: string) => this.find(name);
    this.account = new AccountCommands({ ...deps, find });
    this.groups = new GroupCommands({ ...deps, find, enter: (door) => this.enter(door) });
    this.messages = new MessageCommands(deps);
    this.lists = new Lists(deps);
    const { screen, tasks } = deps;
    if (!isTerminal(screen)) return;
    const completions = new Completions(deps);
    screen.on({
      escape: () => void tasks.giveUp(),
      asks: () => {
        const asked = askedNow();
        if (asked) this.asking.delete(asked);
      },
      complete: (before) => completions.of(before),
    });
  }

  /** What is shown at the beginning: the chats, or the contacts of who has none. Never throws. */
  async begin(to?: string): Promise<void> {
    if (to !== undefined) return void (await this.handle({ text: `/chat ${to}`, literal: false }));
    await this.deps.tasks.run({ line: '/conversations' }, async () => {
      if (!(await this.lists.conversations())) await this.lists.contacts();
    });
  }

  /** Whether a script got something where it did not want it: nowhere. */
  get astray(): boolean {
    return this.strayed;
  }

  /** Messages that were typed and wait for a chat to be opened. */
  get waiting(): readonly string[] {
    return this.held;
  }

  /**
   * Takes one line. Settles when the next one may be taken: in a terminal at once, for scripts when
   * it is done. Never throws.
   */
  async handle({ text: typed, literal }: Entered): Promise<Stays> {
    const text = typed.trimEnd();
    if (text.trim() === '') return 'stays';
    const listed = this.listed;
    this.listed = LISTING.test(text) && !literal;
    if (!literal && text.startsWith('/') && !text.startsWith('//')) return this.command(text);
    if (!literal && ANSWER.test(text) && this.tooEarly(text)) return 'stays';
    const isChoice = !literal && NUMBER.test(text.trim());
    if (isChoice && !this.deps.chat.current && this.openings === 0) {
      return this.task(`/chat ${text.trim()}`);
    }
    if (isChoice && listed && this.lists.door(Number(text))) this.unsure(text.trim());
    else this.write(!literal && text.startsWith('//') ? text.slice(1) : text);
    return 'stays';
  }

  /** An answer before its question was shown: it is put back, and stands there when it is asked. */
  private tooEarly(answer: string): boolean {
    const [asked] = this.asking;
    const { screen } = this.deps;
    if (!asked || !isTerminal(screen)) return false;
    const [name] = nameAndArgument(asked.line);
    screen.giveBack(answer);
    screen.hint(`${name} has not asked yet; "${answer}" is not sent`);
    return true;
  }

  /** A message: it goes out at once, or waits until it is clear to whom. */
  private write(text: string): void {
    if (this.openings > 0) {
      this.held.push(text);
      return;
    }
    const { chat } = this.deps;
    if (this.doubtful(text)) return;
    try {
      if (!chat.write(text)) this.unsent(text);
    } catch (error) {
      this.failed(error);
      this.unsent(text);
    }
  }

  /** A message that went nowhere: back to the person; a script is told. */
  private unsent(text: string): void {
    const { screen, chat } = this.deps;
    if (isTerminal(screen)) return void screen.giveBack(text);
    this.strayed = true;
    chat.status(`not sent: ${safeLine(text)}`);
  }

  /**
   * The first line behind a chat that could not be opened: who typed it may not have looked, and it would go
   * to the chat that is still open. It stays in the input line.
   */
  private doubtful(text: string): boolean {
    const { unopened } = this;
    const { screen, chat } = this.deps;
    this.unopened = null;
    if (unopened === null || !chat.current || !isTerminal(screen)) return false;
    screen.giveBack(text);
    screen.hint(`${unopened} opened nothing: Enter sends this to ${chat.promptName()}`);
    return true;
  }

  /** A number behind a list, in an open chat: a choice or a message, which cannot be told. */
  private unsure(number: string): void {
    const choice = `/chat ${number} opens number ${number} of the list`;
    this.deps.chat.status(`"${number}" is not sent: ${choice}, ${number} again sends it`);
  }

  private failed(error: unknown): void {
    // The program ends: who waits for something is told by that.
    if (error instanceof Cancelled || error instanceof StoppedError) return;
    const { screen } = this.deps;
    screen.print(screen.style.bad(friendly(error)));
  }

  /** Carries out what needs nobody else at once, the rest beside the input. */
  private async command(text: string): Promise<Stays> {
    const { chat, screen } = this.deps;
    const [name, argument] = nameAndArgument(text);
    switch (name) {
      case '/clear':
        chat.clear();
        return 'stays';
      case '/status':
        this.status();
        return 'stays';
      case '/help':
        screen.print(...HELP);
        return 'stays';
      case '/quit':
        return 'quit';
      case '/logout':
        return (await this.logOut(argument)) ? 'gone' : 'stays';
      default:
        return this.task(text);
    }
  }

  private async task(line: string): Promise<Stays> {
    const { tasks, screen } = this.deps;
    const opens = OPENING.test(line);
    const patient = PATIENT.test(line);
    const listed = this.listedDoor(line);
    if (listed && this.unseen(line, listed)) return 'stays';
    const asked = this.asked(line, opens);
    if (opens) this.openings++;
    const run = async (): Promise<void> => {
      const before = this.deps.chat.current;
      await carriedOut(asked, () =>
        tasks.run({ line, patient }, (signal) =>
          listed ? this.enter(listed) : this.carryOut(line, signal),
        ),
      );
      this.asking.delete(asked);
      if (opens) this.opened(nameAndArgument(line)[0], before !== this.deps.chat.current);
    };
    const done = this.start(run, { line, opens, patient });
    if (!screen.interactive) await done;
    return 'stays';
  }

  /** What a number behind `/chat` stands for when it is typed: the list may be another one in its turn. */
  private listedDoor(line: string): Door | undefined {
    const [name, argument] = nameAndArgument(line);
    return name === '/chat' && NUMBER.test(argument)
      ? this.lists.door(Number(argument))
      : undefined;
  }

  /** A number whose list has changed while it was typed: it opens nothing yet. */
  private unseen(line: string, door: Door): boolean {
    const { chat, people, rooms, screen } = this.deps;
    const [command, number] = nameAndArgument(line);
    if (!isTerminal(screen) || !this.lists.hasJustChanged(Number(number))) return false;
    const name = 'user' in door ? people.name(door.user.id) : rooms.name(door.conversationId);
    chat.status(`the list has just changed: ${number} is ${name} now; ↑ and Enter opens that`);
    this.unopened = command;
    return true;
  }

  /** A command as it is typed. It is about the chat that is open when those before it have opened one. */
  private asked(line: string, opens: boolean): Asked {
    const { chat } = this.deps;
    const asked = { line, room: chat.current, opens, over: false };
    if (this.openings > 0) void this.openingTurns.then(() => (asked.room = chat.current));
    if (ASKING.test(line)) this.asking.add(asked);
    return asked;
  }

  private start(
    run: () => Promise<void>,
    { line, opens, patient }: { line: string; opens: boolean; patient: boolean },
  ): Promise<void> {
    if (opens) {
      const { turns } = this;
      this.openingTurns = this.openingTurns.then(run);
      this.turns = this.openingTurns.then(() => turns);
      return this.openingTurns;
    }
    if (AT_ONCE.test(line)) return run();
    if (patient) return this.openings === 0 ? run() : this.openingTurns.then(run);
    return (this.turns = this.turns.then(run));
  }

  /** It is clear whom the next lines go to; those that waited for it go out, or back. */
  private opened(command: string, succeeded: boolean): void {
    if (!succeeded && !isTerminal(this.deps.screen)) this.shut(command);
    if (--this.openings > 0) return;
    const held = this.held.splice(0);
    this.unopened = succeeded || held.length > 0 ? null : command;
    if (held.length === 0) return;
    if (succeeded) return held.forEach((text) => this.write(text));
    const { chat, screen } = this.deps;
    for (const text of held) chat.status(`not sent, no chat was opened: ${safeLine(text)}`);
    screen.giveBack(held.join('\n'));
  }

  /**
   * A script does not look: what it says next was not meant for the chat that is still open. That one is
   * closed.
   */
  private shut(command: string): void {
    const { chat } = this.deps;
    this.strayed = true;
    if (chat.current) chat.close();
    chat.status(`${command} opened nothing: what follows is not sent until a chat is open`);
  }

  private async carryOut(line: string, signal: AbortSignal): Promise<void> {
    const { chat, screen } = this.deps;
    const [name, argument] = nameAndArgument(line);
    switch (name) {
      case '/contacts':
        return this.lists.contacts();
      case '/conversations':
        if (!(await this.lists.conversations(argument.trim() === 'all')))
          chat.status('no chats yet: /people, /chat NAME');
        return;
      case '/people':
        return this.lists.people(argument);
      case '/chat':
        return this.open(argument, signal);
      case '/history':
        return chat.earlier();
      case '/trace':
        return showTrace({ ...this.deps, here: () => chat.here?.conversationId }, argument);
    }
    for (const commands of [this.groups, this.messages, this.account]) {
      const done = commands.handle(name, argument, signal);
      if (done) return done;
    }
    if (name === '/add') return this.add(argument);
    screen.print(`There is no command ${safeLine(name)}; /help lists them.`);
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

  private async open(argument: string, signal: AbortSignal): Promise<void> {
    const { chat } = this.deps;
    if (argument === '') return chat.status('with whom? /chat NAME, or a number of the list');
    const door = await this.door(argument);
    if (door && !signal.aborted) await this.enter(door);
  }

  /** Opens a chat. Whom lines go to is clear then: at a terminal nothing waits for its messages. */
  private async enter(door: Door): Promise<void> {
    const opening = this.deps.chat.open(door);
    if (isTerminal(this.deps.screen)) opening.catch((error: unknown) => this.failed(error));
    else await opening;
  }

  /** What a name or a title stands for. */
  private async door(argument: string): Promise<Door | undefined> {
    const { people, rooms } = this.deps;
    const name = argument.replace(/^@/, '');
    const group = rooms.group(argument);
    // Anybody may give a group any title; a user name is one person's.
    const user = await (group ? people.byName(name).catch(() => undefined) : this.find(name));
    if (user) return { user };
    return group && { conversationId: group.conversationId };
  }

  private async find(name: string): Promise<User | undefined> {
    const { people, client, screen } = this.deps;
    const user = await people.byName(name);
    if (user && user.id !== client.currentLogin?.user.id) return user;
    screen.print(user ? 'That is you.' : `Nobody is called ${safeLine(name)}.`);
    return undefined;
  }

  /** True: it is done. What is not sent yet would be lost, so that is asked for. */
  private async logOut(argument: string): Promise<boolean> {
    const { client, chat } = this.deps;
    const length = client.unsent.length + client.pendingChanges;
    if (length > 0 && argument.trim() !== 'anyway') {
      chat.status(`not sent yet: ${length}. /logout anyway drops them; /quit keeps them`);
      return false;
    }
    await this.deps.logOut();
    return true;
  }

  private status(): void {
    const { client, screen, tasks } = this.deps;
    const { currentLogin, gatewayId, unsent } = client;
    screen.print(
      `You are ${safeLine(currentLogin?.user.username ?? 'nobody')}.`,
      gatewayId === null ? `Connection: ${client.state}` : `Connection: online, by ${gatewayId}`,
      `Not sent yet: ${unsent.length}`,
      ...(client.pendingChanges > 0 ? [`Not changed yet: ${client.pendingChanges}`] : []),
      ...tasks.unfinished().map((line) => `Under way: ${safeLine(line)}`),
    );
  }
}

function nameAndArgument(text: string): [name: string, argument: string] {
  const [, name = '', argument = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  return [name, argument];
}
