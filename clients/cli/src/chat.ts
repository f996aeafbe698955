import type { ClientEvents, Message, Outgoing, Place, TidingsClient, User } from '@tidings/sdk';
import { comparePositions, NetworkError } from '@tidings/sdk';
import { codeSentence } from './friendly-errors';
import {
  clockTime,
  contentText,
  messageLines,
  outgoingText,
  presenceText,
  tickOf,
  TICKS,
} from './message-lines';
import type { Files } from './files';
import type { People } from './people';
import { safeLine } from './safe-text';
import type { Screen } from './screen';
import { TypingNotes } from './typing-notes';
import { UnderWay } from './under-way';
import { shortened } from './width';

/** How many messages a chat begins with. */
const FIRST_MESSAGES = 10;
/** How many more `/history` shows. */
const MORE_MESSAGES = 20;
/** How many unsent messages are shown above the prompt. */
const MAX_FOOTER = 4;
/** A shorter loss of the connection is not worth a word. */
const OFFLINE_AFTER_MS = 1_500;
/** Writing while offline asks for a connection, but not more often than this. */
const NUDGE_EVERY_MS = 2_000;

interface Peer {
  user: User;
  conversationId?: string;
  /** Position of the oldest message on the screen. */
  shownFrom?: string;
}

/** The chat on the screen: what is said, what is under way, and whether there is a connection. */
export class Chat {
  private peer: Peer | null = null;
  /** The other user of conversations met so far. */
  private readonly others = new Map<string, string>();
  private readonly mine = new Set<string>();
  private readonly underWay = new UnderWay();
  private lastNudge = 0;
  private readonly notedAbsent = new Set<string>();
  private settled = false;
  private saidHeld = false;
  private saidRead: string | null = null;
  private offline = false;
  private offlineTimer: NodeJS.Timeout | null = null;
  private printing: Promise<void> | null = null;
  private readonly typing: TypingNotes;

  constructor(
    private readonly client: TidingsClient,
    private readonly screen: Screen,
    private readonly people: People,
    private readonly files: Files,
  ) {
    client.on('message', (event) => this.heard(event));
    client.on('sent', ({ outgoing, place }) => this.sent(outgoing, place));
    client.on('failed', (event) => this.failed(event));
    client.on('pending', ({ messageId, offline }) => this.absent(messageId, offline));
    client.on('held', () => this.held());
    client.on('outgoing', () => this.prompt());
    client.on('state', (event) => this.stateChanged(event));
    client.on('receipt', (event) => this.receipt(event));
    const here = () => this.conversationId;
    this.typing = new TypingNotes(client, people, here, () => this.prompt());
    screen.onInput?.((line) => this.typing.typed(line));
  }

  /** The user of the chat on the screen. */
  get current(): User | null {
    return this.peer?.user ?? null;
  }

  /** Conversation of the chat on the screen. */
  get conversationId(): string | undefined {
    return this.peer?.conversationId;
  }

  /** From now on what a sync brings is news, not the past. */
  begin(): void {
    this.settled = true;
    for (const outgoing of this.client.unsent) this.written(outgoing);
    this.prompt();
  }

  /** Clears its timer. */
  end(): void {
    if (this.offlineTimer) clearTimeout(this.offlineTimer);
    this.offlineTimer = null;
  }

  /** Puts the chat with a user on the screen, with its last messages. */
  async open(user: User): Promise<void> {
    this.people.learn(user);
    const peer: Peer = { user, conversationId: this.client.directWith(user.id) };
    this.peer = peer;
    try {
      peer.conversationId ??= (await this.client.direct(user.id)).id;
      this.others.set(peer.conversationId, user.id);
      await this.load(peer, FIRST_MESSAGES);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      this.status('offline — showing what is here; what you type is kept and sent later');
    }
    const presence = (await this.people.presence([user.id])).get(user.id);
    const { dim, bold } = this.screen.style;
    const about = presenceText(presence);
    const name = bold(this.people.name(user.id));
    this.screen.print('', `${dim('──')} ${name}${about === '' ? '' : dim(` · ${about}`)}`);
    const messages = this.texts(peer).slice(-FIRST_MESSAGES);
    peer.shownFrom = messages[0]?.position;
    if (messages.length === 0) this.status('no messages yet');
    this.screen.print(...messages.flatMap((m) => this.lines(m)));
    if (peer.conversationId) this.client.markRead(peer.conversationId);
    this.prompt();
  }

  /** Shows what was said before the oldest message on the screen. */
  async earlier(): Promise<void> {
    const peer = this.peer;
    if (!peer?.conversationId) return this.status('open a chat first');
    const older = (): Message[] =>
      this.texts(peer).filter(
        (m) => peer.shownFrom === undefined || comparePositions(m.position, peer.shownFrom) < 0,
      );
    const shown = this.texts(peer).length - older().length;
    await this.load(peer, shown + MORE_MESSAGES);
    const messages = older().slice(-MORE_MESSAGES);
    if (messages.length === 0) return this.status('this is where it began');
    peer.shownFrom = messages[0]!.position;
    this.status('earlier:');
    this.screen.print(...messages.flatMap((m) => this.lines(m)));
    this.status('— back to now —');
  }

  /** Sends a text to the user of this chat. */
  write(text: string): void {
    const peer = this.peer;
    if (!peer) return this.status('to whom? Pick a contact by its number, or /chat NAME');
    const recipient = peer.conversationId
      ? { conversationId: peer.conversationId }
      : { to: peer.user.id };
    this.written(this.client.send({ ...recipient, text }));
    this.prompt();
    const now = performance.now();
    if (!this.offline || now - this.lastNudge < NUDGE_EVERY_MS) return;
    this.lastNudge = now;
    this.client.reconnect();
  }

  /** Uploads a file and sends it to the user of this chat; as an image when it is one. */
  async attach(path: string, caption?: string): Promise<void> {
    const peer = this.peer;
    if (!peer) return this.status('to whom? Pick a contact by its number, or /chat NAME');
    const conversationId = (peer.conversationId ??= (await this.client.direct(peer.user.id)).id);
    this.status('uploading …');
    this.written(await this.files.send({ conversationId }, path, caption));
    this.prompt();
  }

  private written(outgoing: Outgoing): void {
    this.mine.add(outgoing.messageId);
    this.underWay.add(outgoing);
  }

  /** Prints a remark of the program itself. */
  status(text: string): void {
    this.screen.print(this.screen.style.dim(`  ${text}`));
  }

  private texts(peer: Peer): Message[] {
    if (!peer.conversationId) return [];
    return this.client.messages(peer.conversationId).filter((m) => m.content.kind !== 'event');
  }

  /** Reads pages of the history until so many messages are held. */
  private async load(peer: Peer, wanted: number): Promise<void> {
    const id = peer.conversationId!;
    const model = () => this.client.conversation(id);
    if (!model()?.known) await this.client.history(id, { limit: wanted });
    while (this.texts(peer).length < wanted) {
      const before = model()?.oldest ?? null;
      if (before === null) return;
      await this.client.history(id, { before, limit: 50 });
      if (model()?.oldest === before) return;
    }
  }

  private lines(message: Message): string[] {
    const own = message.senderId === this.client.session?.user.id;
    return messageLines(
      {
        time: clockTime(message.sentAt),
        author: own ? 'you' : this.people.name(message.senderId),
        tick: own
          ? tickOf(this.client.readBy(message.conversationId, message.position))
          : undefined,
        text: contentText(message.content, message.deleted, this.files.number(message)),
        own,
      },
      this.screen.columns,
      this.screen.style,
    );
  }

  private heard({ message, own, source }: ClientEvents['message']): void {
    if (!own) this.others.set(message.conversationId, message.senderId);
    const past = source === 'history' || source === 'sent' || !this.settled;
    if (past || message.content.kind === 'event') return;
    if (own && this.mine.has(message.messageId)) return;
    this.notedAbsent.delete(message.senderId);
    const { senderId } = message;
    if (!this.printing && (own || this.people.knows(senderId))) return this.show(message);
    const printed: Promise<void> = (this.printing ?? Promise.resolve())
      .then(() => this.people.lookUp([senderId]))
      .then(() => {
        if (this.printing === printed) this.printing = null;
        this.show(message);
      });
    this.printing = printed;
  }

  private show(message: Message): void {
    const peer = this.peer;
    const { conversationId } = message;
    if (peer && !peer.conversationId && message.senderId === peer.user.id) {
      peer.conversationId = conversationId;
    }
    if (peer?.conversationId === conversationId) {
      peer.shownFrom ??= message.position;
      this.screen.print(...this.lines(message));
      this.client.markRead(conversationId);
      return;
    }
    this.screen.print(this.elsewhere(conversationId), ...this.lines(message));
  }

  /** Says in which other chat something happens. */
  private elsewhere(conversationId: string): string {
    const other = this.others.get(conversationId);
    const name = other === undefined ? 'another chat' : this.people.name(other);
    return this.screen.style.dim(`  in the chat with ${name} (/chat ${name}):`);
  }

  private sent(outgoing: Outgoing, place: Place): void {
    this.saidHeld = false;
    const { to } = outgoing.record;
    const { conversationId, position, sentAt } = place;
    if (to !== undefined) this.others.set(conversationId, to);
    const peer = this.peer;
    if (peer && !peer.conversationId && peer.user.id === to) peer.conversationId = conversationId;
    const here = peer?.conversationId === conversationId;
    if (here) peer.shownFrom ??= position;
    const lines = messageLines(
      {
        time: clockTime(sentAt),
        author: 'you',
        tick: TICKS.sent,
        text: outgoingText(outgoing),
        own: true,
      },
      this.screen.columns,
      this.screen.style,
    );
    this.done(outgoing, here ? lines : [this.elsewhere(conversationId), ...lines]);
  }

  /** The newest own line of the open chat has been read: said once. */
  private receipt({ conversationId, userId, own }: ClientEvents['receipt']): void {
    const peer = this.peer;
    if (own || !peer || peer.conversationId !== conversationId) return;
    const me = this.client.session?.user.id;
    const newest = this.texts(peer).findLast((m) => m.senderId === me);
    if (!newest || newest.messageId === this.saidRead) return;
    if (this.client.readBy(conversationId, newest.position).read === 0) return;
    this.saidRead = newest.messageId;
    this.status(`✔✔ read by ${this.people.name(userId)}`);
  }

  private held(): void {
    if (this.saidHeld) return;
    this.saidHeld = true;
    this.status('the server keeps what you write for now (◦) and sends it as soon as it can');
  }

  private failed({ outgoing, code, detail, void: isVoid }: ClientEvents['failed']): void {
    const text = outgoing ? `: ${outgoingText(outgoing)}` : '';
    const what = isVoid ? 'a message shown as sent is void' : `not sent${text}`;
    const line = `${TICKS.failed} ${what} — ${codeSentence(code, detail)}`;
    this.done(outgoing, [this.screen.style.bad(line)]);
  }

  /** Prints what became of own messages, in the order in which they were written. */
  private done(outgoing: Outgoing | undefined, lines: string[]): void {
    const printed = outgoing ? this.underWay.settle(outgoing, lines) : lines;
    this.prompt();
    this.screen.print(...printed);
  }

  private absent(messageId: string, offline: readonly string[]): void {
    if (!this.mine.has(messageId)) return;
    for (const userId of offline) {
      if (this.notedAbsent.has(userId)) continue;
      this.notedAbsent.add(userId);
      this.status(`${this.people.name(userId)} is not online; they will get it later`);
    }
  }

  private stateChanged({ state }: ClientEvents['state']): void {
    if (state === 'online' || state === 'stopped') {
      this.end();
      if (this.offline && state === 'online') this.status('back online');
      this.offline = false;
      this.prompt();
    } else if (state === 'offline') {
      this.sayOffline();
    } else if (!this.offlineTimer) {
      this.offlineTimer = setTimeout(() => this.sayOffline(), OFFLINE_AFTER_MS);
    }
  }

  private sayOffline(): void {
    this.end();
    if (this.offline) return;
    this.offline = true;
    const { bad } = this.screen.style;
    this.screen.print(bad('  offline — what you type is kept and sent later'));
    this.prompt();
  }

  /** Draws the prompt, and above it what is not sent yet. */
  private prompt(): void {
    if (!this.settled) return;
    const unsent = this.underWay.all();
    const width = this.screen.columns - 4;
    const footer = unsent
      .slice(0, MAX_FOOTER)
      .map((one) => `${TICKS[one.state]} ${shortened(safeLine(outgoingText(one)), width)}`);
    if (unsent.length > MAX_FOOTER) footer.push(`… and ${unsent.length - MAX_FOOTER} more`);
    const typing = this.typing.line();
    if (typing !== null) footer.push(typing);
    const name = this.peer ? this.people.name(this.peer.user.id) : 'tidings';
    const mark = this.offline ? ' (offline)' : '';
    this.screen.setPrompt(
      footer.map((line) => this.screen.style.dim(line)),
      `${name}${mark}> `,
    );
  }
}
