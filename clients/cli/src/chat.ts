import type { ClientEvents, Message, User } from '@tidings/sdk';
import { comparePositions, NetworkError } from '@tidings/sdk';
import type { ChatFloor } from './chat-floor';
import type { ChatParts, OpenRoom } from './chat-parts';
import { ConnectionNotes } from './connection-notes';
import { IncomingLines } from './incoming-lines';
import { lifetimeShort, lifetimeText } from './lifetime-text';
import { presenceText } from './message-lines';
import { OutgoingLines } from './outgoing-lines';
import { ReadNotes } from './read-notes';
import type { Door } from './rooms';
import { BACK_TO_NOW, Transcript } from './transcript';
import { TypingNotes } from './typing-notes';
import { Vanishing } from './vanishing';

/** How many messages a chat begins with. */
const FIRST_MESSAGES = 10;
/** How many more `/history` shows. */
const MORE_MESSAGES = 20;
/** Unsent messages above the prompt take this part of the window at most. */
const FOOTER_SHARE = 3;

/** Said of a chat that was opened without the server. */
const OFFLINE = 'offline — older messages come later';

/** The chat on the screen: what is said, what is under way, and whether there is a connection. */
export class Chat {
  private opened: OpenRoom | null = null;
  private begun = false;
  private readonly transcript: Transcript;
  private readonly outgoing: OutgoingLines;
  private readonly incoming: IncomingLines;
  private readonly connection: ConnectionNotes;
  private readonly readNotes: ReadNotes;
  private readonly vanishing: Vanishing;
  private readonly typing: TypingNotes;

  constructor(private readonly parts: ChatParts) {
    const { client, screen } = parts;
    this.transcript = new Transcript(parts);
    const floor: ChatFloor = {
      ...parts,
      transcript: this.transcript,
      room: () => this.opened,
      status: (text) => this.status(text),
      prompt: () => this.prompt(),
    };
    this.connection = new ConnectionNotes(client, screen, () => this.prompt());
    this.outgoing = new OutgoingLines(floor);
    this.incoming = new IncomingLines(floor, this.outgoing.isMine);
    this.readNotes = new ReadNotes(floor, () => this.lastOwn());
    this.vanishing = new Vanishing(floor, () => this.view());
    const here = () => this.conversationId;
    this.typing = new TypingNotes(client, parts.people, here, () => this.prompt());
    screen.onInput?.((line) => this.typing.typed(line));
    client.on('conversation', (event) => this.conversationChanged(event));
    client.on('details', () => this.prompt());
    client.on('synced', ({ inStep }) => {
      if (inStep) void this.caughtUp();
    });
  }

  /** The chat on the screen; null: none. */
  get current(): OpenRoom | null {
    return this.opened;
  }

  /** Conversation of the chat on the screen. */
  get conversationId(): string | undefined {
    return this.opened?.conversationId;
  }

  /** From now on there is news, and a prompt. */
  begin(): void {
    this.begun = true;
    this.incoming.begin();
    for (const outgoing of this.parts.client.unsent) this.outgoing.written(outgoing);
    this.prompt();
  }

  /** Clears its timers. */
  end(): void {
    this.connection.end();
    this.vanishing.end();
  }

  /** Puts a chat on the screen, with its last messages. */
  async open(door: Door): Promise<void> {
    const { client, people, rooms, screen } = this.parts;
    if ('user' in door) people.learn(door.user);
    const room = this.enter(door);
    this.opened = room;
    try {
      await this.find(room);
      await this.load(room, FIRST_MESSAGES);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      room.partial = true;
    }
    const messages = this.texts(room).slice(-FIRST_MESSAGES);
    await this.transcript.lookUp(messages);
    if (room.conversationId) await rooms.lookUp(room.conversationId);
    const about = room.user
      ? presenceText((await people.presence([room.user.id])).get(room.user.id))
      : '';
    room.shownFrom = messages[0]?.position;
    screen.print('', this.header(about));
    if (room.partial) this.status(OFFLINE);
    else if (messages.length === 0) this.status('no messages yet');
    screen.print(...this.transcript.lines(...messages));
    if (room.conversationId) client.markRead(room.conversationId);
    this.prompt();
  }

  /** Takes the open chat off the screen. */
  close(): void {
    this.opened = null;
    this.prompt();
  }

  /** Shows what was said before the oldest message on the screen. */
  async earlier(): Promise<void> {
    const room = this.opened;
    if (!room?.conversationId) return this.status('open a chat first');
    const older = (): Message[] =>
      this.texts(room).filter(
        (m) => room.shownFrom === undefined || comparePositions(m.position, room.shownFrom) < 0,
      );
    const shown = this.texts(room).length - older().length;
    await this.load(room, shown + MORE_MESSAGES);
    const messages = older().slice(-MORE_MESSAGES);
    if (messages.length === 0) return this.status('this is where it began');
    await this.transcript.lookUp(messages);
    room.shownFrom = messages[0]!.position;
    this.status('earlier:');
    this.parts.screen.print(...this.transcript.lines(...messages));
    this.status(BACK_TO_NOW);
  }

  /** Draws the window anew; `deep`: with what the terminal has scrolled away. */
  clear(deep: boolean): void {
    this.transcript.begin();
    this.parts.screen.redraw(this.view(), deep);
  }

  /** Sends a text to the chat on the screen. */
  write(text: string): void {
    const room = this.opened;
    if (!room) return this.status('to whom? Pick one of the list by its number, or /chat NAME');
    const recipient = room.conversationId
      ? { conversationId: room.conversationId }
      : { to: room.user!.id };
    this.outgoing.written(this.parts.client.send({ ...recipient, text }));
    this.prompt();
    this.connection.nudge();
  }

  /** Uploads a file and sends it to the chat on the screen; as an image when it is one. */
  async attach(path: string, caption?: string): Promise<void> {
    const room = this.opened;
    if (!room) return this.status('to whom? Pick one of the list by its number, or /chat NAME');
    const { client, files } = this.parts;
    const conversationId = (room.conversationId ??= (await client.direct(room.user!.id)).id);
    this.status('uploading …');
    this.outgoing.written(await files.send({ conversationId }, path, caption));
    this.prompt();
  }

  /** The newest own message of the chat on the screen that is in the log and was not deleted. */
  lastOwn(): Message | undefined {
    const room = this.opened;
    if (!room) return undefined;
    return this.texts(room).findLast(
      (m) => this.transcript.isMe(m.senderId) && !m.deleted && m.content.kind !== 'event',
    );
  }

  /** Prints a remark of the program itself. */
  status(text: string): void {
    this.parts.screen.print(this.parts.screen.style.dim(`  ${text}`));
  }

  /** Everything is here. A chat that was opened without the server gets what it lacks. */
  private async caughtUp(): Promise<void> {
    this.incoming.inStep();
    const room = this.opened;
    if (!room?.partial) return;
    room.partial = false;
    const { client, screen } = this.parts;
    try {
      await this.find(room);
      await this.load(room, FIRST_MESSAGES);
    } catch {
      // Whatever it is: the next complete sync tries again.
      room.partial = true;
      return;
    }
    const messages = this.texts(room).slice(-FIRST_MESSAGES);
    await this.transcript.lookUp(messages);
    if (this.opened !== room) return;
    room.shownFrom = messages[0]?.position;
    const missing = messages.filter(({ messageId }) => !this.transcript.has(messageId));
    if (screen.interactive) this.clear(false);
    else screen.print(...missing.flatMap((message) => this.transcript.news(message)));
    client.markRead(room.conversationId!);
    this.prompt();
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
    rooms.learn(await client.details(room.conversationId!));
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

  /** What the window shows of the chat, anew. */
  private view(): string[] {
    const room = this.opened;
    if (!room) return [];
    const from = room.shownFrom;
    const messages = this.texts(room).filter(
      (m) => from !== undefined && comparePositions(m.position, from) >= 0,
    );
    const fitting = messages.slice(-Math.max(FIRST_MESSAGES, this.parts.screen.rows));
    return [this.header(''), ...this.transcript.lines(...fitting)];
  }

  private header(presence: string): string {
    const { client, people, rooms, screen } = this.parts;
    const { bold, dim } = screen.style;
    const { user, conversationId } = this.opened!;
    const known = conversationId === undefined ? undefined : rooms.get(conversationId);
    const name = user ? people.name(user.id) : rooms.name(conversationId!);
    const lifetime = conversationId === undefined ? null : client.lifetime(conversationId);
    const about = [
      presence,
      user || known?.memberCount === undefined ? '' : `${known.memberCount} members`,
      lifetime === null ? '' : `messages disappear after ${lifetimeText(lifetime)}`,
    ].filter((one) => one !== '');
    return `${dim('──')} ${bold(name)}${about.map((one) => dim(` · ${one}`)).join('')}`;
  }

  private conversationChanged({ conversationId, what }: ClientEvents['conversation']): void {
    if (what !== 'gone') return;
    const { rooms } = this.parts;
    if (rooms.get(conversationId))
      this.status(`you are no longer in ${rooms.name(conversationId)}`);
    rooms.forget(conversationId);
    if (this.opened?.conversationId === conversationId) this.close();
  }

  /** Draws the prompt, and above it what is not sent yet. */
  private prompt(): void {
    if (!this.begun) return;
    const { client, people, rooms, screen } = this.parts;
    const { user, conversationId } = this.opened ?? {};
    const footer = this.outgoing.footer(Math.floor(screen.rows / FOOTER_SHARE));
    const read = this.readNotes.footer();
    if (read !== null && footer.length === 0) footer.push(screen.style.dim(read));
    const typing = this.typing.line();
    if (typing !== null) footer.push(screen.style.dim(typing));
    const lifetime = conversationId === undefined ? null : client.lifetime(conversationId);
    const marks = [
      ...(lifetime === null ? [] : [`⏱ ${lifetimeShort(lifetime)}`]),
      ...(this.connection.offline ? ['offline'] : []),
    ];
    const name = nameOf(user, conversationId, { people, rooms });
    const mark = marks.length === 0 ? '' : ` (${marks.join(', ')})`;
    screen.setPrompt(footer, `${name}${mark}> `);
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
