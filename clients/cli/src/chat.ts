import type { ClientEvents, Message, Outgoing, User } from '@tidings/sdk';
import { comparePositions } from '@tidings/sdk';
import { askedNow } from './asked';
import type { ChatFloor } from './chat-floor';
import { isFor, type ChatParts, type OpenRoom } from './chat-parts';
import { ChatView } from './chat-view';
import { ConnectionNotes } from './connection-notes';
import type { Display } from './display';
import { lifetimeShort, lifetimeText } from './lifetime-text';
import { presenceText } from './message-lines';
import { PipeDisplay } from './pipe-display';
import { type Door, isAnnouncements, membersText } from './rooms';
import { isTerminal } from './screen';
import { shedLine } from './shed-line';
import { isAway } from './server-away';
import { Transcript } from './transcript';

/** How many messages a chat begins with in a pipe; a terminal has its window full. */
const FIRST_MESSAGES = 10;
/** How many more `/history` shows. */
const MORE_MESSAGES = 20;
/** What a gateway could not tell is asked for again after this, in milliseconds. */
const AGAIN_MS = 2_000;

const READ_ONLY = 'here only the people who run this server write; pick somebody, or /chat NAME';

/** An own message, in the log or on its way there. */
export interface Written {
  messageId: string;
  conversationId?: string;
  content: Message['content'] | Outgoing['record']['content'];
  sentAt: string;
  /** It is on its way. */
  outgoing?: Outgoing;
}

/** The chat on the screen: which one it is, what of it is here, and what is written to it. */
export class Chat {
  private opened: OpenRoom | null = null;
  private readonly transcript: Transcript;
  private readonly floor: ChatFloor;
  private readonly display: Display;
  private readonly connection: ConnectionNotes;
  private readonly firstMessages: number;
  private loadingEarlier = false;
  private again: NodeJS.Timeout | null = null;

  constructor(
    private readonly parts: ChatParts,
    /** What the program is busy with, for the line of status. */
    busy: () => string[] = () => [],
  ) {
    const { client, screen } = parts;
    this.transcript = new Transcript(parts);
    this.floor = {
      ...parts,
      transcript: this.transcript,
      room: () => this.opened,
      status: (text) => this.status(text),
      texts: (room) => this.texts(room),
      lastOwn: () => this.lastOwnIn(this.opened),
      header: (room, presence) => this.header(room, presence),
    };
    this.connection = new ConnectionNotes(client);
    if (isTerminal(screen)) {
      const view = new ChatView({ ...this.floor, screen }, this.connection);
      this.display = view;
      this.firstMessages = Math.max(FIRST_MESSAGES, screen.rows);
      screen.frame(() => ({
        prompt: `${this.promptName()}> `,
        // whether there is a server matters more than what waits for its answer
        left: [...view.left(), ...busy()],
        right: view.unread(),
      }));
      screen.on({
        typed: (text) => this.typed(text),
        top: () => void this.earlier().catch(() => undefined),
      });
    } else {
      this.display = new PipeDisplay(this.floor, this.connection);
      this.firstMessages = FIRST_MESSAGES;
    }
    client.on('conversation', (event) => this.conversationChanged(event));
    client.on('shed', ({ lanes }) => this.status(shedLine(lanes)));
    client.on('synced', ({ inStep }) => {
      if (inStep) void this.caughtUp();
    });
  }

  /** The chat on the screen; null: none. */
  get current(): OpenRoom | null {
    return this.opened;
  }

  /** The chat that the command is about which is carried out: the one in which it was typed. */
  get here(): OpenRoom | null {
    const asked = askedNow();
    return asked ? asked.room : this.opened;
  }

  /** Conversation of the chat on the screen. */
  get conversationId(): string | undefined {
    return this.opened?.conversationId;
  }

  /** From now on there is news, and a prompt. */
  begin(): void {
    this.display.begin();
  }

  /** Clears its timers. */
  end(): void {
    if (this.again) clearTimeout(this.again);
    this.connection.end();
    this.display.end();
  }

  /**
   * Puts a chat on the screen: at once, so that what is typed next goes there; then its last messages
   * as soon as they are here.
   */
  async open(door: Door): Promise<void> {
    const { people, rooms } = this.parts;
    if ('user' in door) people.learn(door.user);
    const room = this.enter(door);
    this.opened = room;
    this.watch(room);
    this.display.entered(room);
    try {
      await this.find(room);
      await this.load(room, this.firstMessages);
    } catch (error) {
      if (!isAway(error)) throw error;
      room.partial = true;
      this.askAgain();
    }
    const messages = this.texts(room).slice(-this.firstMessages);
    await this.transcript.lookUp(messages);
    if (room.conversationId) await rooms.lookUp(room.conversationId);
    const about = isTerminal(this.parts.screen) ? '' : await this.presenceNow(room);
    if (this.opened !== room) return;
    room.shownFrom ??= messages[0]?.position;
    this.display.opened(room, messages, about);
  }

  /** Who is here when a chat is opened; a terminal shows it all the time. */
  private async presenceNow({ user }: OpenRoom): Promise<string> {
    if (!user) return '';
    return presenceText((await this.parts.people.presence([user.id])).get(user.id));
  }

  /** Takes the open chat off the screen. */
  close(): void {
    this.opened = null;
    this.parts.people.shows('chat', []);
    this.display.closed();
  }

  /** Shows what was said before the oldest message on the screen. */
  async earlier(): Promise<void> {
    const room = this.opened;
    if (!room?.conversationId) return this.status('open a chat first');
    if (this.loadingEarlier) return;
    this.loadingEarlier = true;
    try {
      const older = (): Message[] =>
        this.texts(room).filter(
          (m) => room.shownFrom === undefined || comparePositions(m.position, room.shownFrom) < 0,
        );
      const shown = this.texts(room).length - older().length;
      await this.load(room, shown + MORE_MESSAGES);
      const messages = older().slice(-MORE_MESSAGES);
      if (messages.length === 0) return this.noneEarlier();
      await this.transcript.lookUp(messages);
      room.shownFrom = messages[0]!.position;
      this.display.earlier(messages);
    } finally {
      this.loadingEarlier = false;
    }
  }

  /** Takes away what the program has said. */
  clear(): void {
    this.transcript.begin();
    this.display.clear();
  }

  /** Sends a text to the chat on the screen; false: there is none to write to, which is said. */
  write(text: string): boolean {
    const room = this.opened;
    if (!room) {
      this.status('to whom? Pick one of the list by its number, or /chat NAME');
      return false;
    }
    if (isAnnouncements(room.conversationId)) {
      this.status(READ_ONLY);
      return false;
    }
    const recipient = room.conversationId
      ? { conversationId: room.conversationId }
      : { to: room.user!.id };
    this.display.written(this.parts.client.send({ ...recipient, text }));
    this.connection.nudge();
    return true;
  }

  /** Uploads a file and sends it to the chat in which that was typed; as an image when it is one. */
  async attach(path: string, caption?: string, signal?: AbortSignal): Promise<void> {
    const room = this.here;
    if (!room) return this.status('to whom? Pick one of the list by its number, or /chat NAME');
    if (isAnnouncements(room.conversationId)) return this.status(READ_ONLY);
    const { client, files } = this.parts;
    const conversationId = (room.conversationId ??= (await client.direct(room.user!.id)).id);
    const outgoing = await files.send({ conversationId }, path, { caption, signal });
    this.display.written(outgoing);
  }

  /** The newest own message of the chat that a command is about; it is in the log and not deleted. */
  lastOwn(): Message | undefined {
    return this.lastOwnIn(this.here);
  }

  /**
   * The newest own message of the chat that a command is about, with those that are not sent yet;
   * with `back` 2 the one before, and so on.
   */
  lastWritten(back = 1): Written | undefined {
    const room = this.here;
    if (!room) return undefined;
    const logged = this.texts(room).filter((m) => this.isOwn(m));
    const unsent = this.parts.client.unsent.filter(({ record }) => isFor(room, record));
    const all: Written[] = [
      ...logged,
      ...unsent.map((outgoing) => ({
        messageId: outgoing.messageId,
        conversationId: outgoing.record.conversationId,
        content: outgoing.record.content,
        sentAt: new Date(outgoing.record.writtenAt).toISOString(),
        outgoing,
      })),
    ];
    return all.at(-back);
  }

  private lastOwnIn(room: OpenRoom | null): Message | undefined {
    return room ? this.texts(room).findLast((m) => this.isOwn(m)) : undefined;
  }

  private isOwn(message: Message): boolean {
    const { senderId, deleted, content } = message;
    return this.transcript.isMe(senderId) && !deleted && content.kind !== 'event';
  }

  /** Prints a remark of the program itself. */
  status(text: string): void {
    this.parts.screen.print(this.parts.screen.style.dim(`  ${text}`));
  }

  private noneEarlier(): void {
    const { screen } = this.parts;
    if (isTerminal(screen)) screen.hint('this is where it began');
    else this.status('this is where it began');
  }

  /** Everything is here. A chat that was opened without the server gets what it lacks. */
  private async caughtUp(): Promise<void> {
    const room = this.opened;
    if (!room?.partial) return;
    room.partial = false;
    try {
      await this.find(room);
      await this.load(room, this.firstMessages);
    } catch {
      // Whatever it is: the next complete sync tries again.
      room.partial = true;
      this.askAgain();
      return;
    }
    const messages = this.texts(room).slice(-this.firstMessages);
    await this.transcript.lookUp(messages);
    if (this.opened !== room) return;
    room.shownFrom = messages[0]?.position;
    this.display.completed(messages);
  }

  /** A gateway that is there, but cannot ask others, does not say when it can again. */
  private askAgain(): void {
    if (this.parts.client.state !== 'online') return;
    if (this.again) clearTimeout(this.again);
    this.again = setTimeout(() => void this.caughtUp(), AGAIN_MS);
  }

  private enter(door: Door): OpenRoom {
    const { client, rooms } = this.parts;
    if ('user' in door) {
      return { user: door.user, conversationId: client.directWith(door.user.id) };
    }
    const { conversationId } = door;
    const userId = rooms.get(conversationId)?.userId;
    const user = userId === undefined ? undefined : this.parts.people.get(userId);
    return { conversationId, user };
  }

  /** Asks for the conversation, and for what is to be known of it from now on. */
  private async find(room: OpenRoom): Promise<void> {
    const { client, rooms } = this.parts;
    if (room.user) {
      room.conversationId ??= (await client.direct(room.user.id)).id;
      rooms.learnDirect(room.conversationId, room.user.id);
    }
    const conversation = await client.details(room.conversationId!);
    rooms.learn(conversation);
    if (!room.user) room.memberIds = conversation.members?.map(({ userId }) => userId);
    if (this.opened === room) this.watch(room);
  }

  /** A terminal shows who of the chat is here. */
  private watch({ user, memberIds = [] }: OpenRoom): void {
    const { people, screen } = this.parts;
    if (isTerminal(screen)) people.shows('chat', user ? [user.id] : memberIds);
  }

  private texts(room: OpenRoom): Message[] {
    if (!room.conversationId) return [];
    const all = this.parts.client.messages(room.conversationId);
    return all.filter((m) => this.transcript.shows(m));
  }

  /** Reads pages of the history until so many messages are held. */
  private async load(room: OpenRoom, wanted: number): Promise<void> {
    const { client } = this.parts;
    const id = room.conversationId!;
    const model = () => client.conversation(id);
    if (!model()?.known) await client.history(id, { limit: wanted });
    while (this.texts(room).length < wanted) {
      const before = model()?.oldest ?? null;
      if (before === null) return;
      await client.history(id, { before, limit: 50 });
      if (model()?.oldest === before) return;
    }
  }

  private header({ user, conversationId }: OpenRoom, presence: string): string {
    const { client, people, rooms, screen } = this.parts;
    const { bold, dim } = screen.style;
    const known = conversationId === undefined ? undefined : rooms.get(conversationId);
    const name = user ? people.name(user.id) : rooms.name(conversationId!);
    const lifetime = conversationId === undefined ? null : client.lifetime(conversationId);
    const about = [
      presence,
      user || !known ? '' : membersText(known),
      lifetime === null ? '' : `messages disappear after ${lifetimeText(lifetime)}`,
    ].filter((one) => one !== '');
    return `${dim('──')} ${bold(name)}${about.map((one) => dim(` · ${one}`)).join('')}`;
  }

  private conversationChanged({ conversationId, what }: ClientEvents['conversation']): void {
    if (what !== 'gone') return;
    const { rooms } = this.parts;
    const name = rooms.get(conversationId) && rooms.name(conversationId);
    rooms.forget(conversationId);
    if (this.opened?.conversationId === conversationId) this.close();
    if (name !== undefined) this.status(`you are no longer in ${name}`);
  }

  /** Who is written to sees that somebody types. Commands are nobody's business. */
  private typed(text: string): void {
    const id = this.conversationId;
    if (id === undefined || isAnnouncements(id)) return;
    this.parts.client.typing(id, text.trim() !== '' && !/^\/(?!\/)/.test(text));
  }

  /** Whom the next line goes to. */
  promptName(): string {
    const { client, people, rooms } = this.parts;
    const { user, conversationId } = this.opened ?? {};
    const name = nameOf(user, conversationId, { people, rooms });
    const lifetime = conversationId === undefined ? null : client.lifetime(conversationId);
    return lifetime === null ? name : `${name} (⏱ ${lifetimeShort(lifetime)})`;
  }
}

function nameOf(
  user: User | undefined,
  conversationId: string | undefined,
  { people, rooms }: Pick<ChatParts, 'people' | 'rooms'>,
): string {
  if (user) return people.name(user.id);
  return conversationId === undefined ? 'tidings' : rooms.name(conversationId);
}
