import { comparePositions, type ClientEvents, type Message, type Outgoing } from '@tidings/sdk';
import type { ChatFloor } from './chat-floor';
import { askedNow } from './asked';
import { isFor, isSameRoom, type OpenRoom } from './chat-parts';
import type { ConnectionNotes } from './connection-notes';
import type { Display } from './display';
import { eventLine } from './event-lines';
import { codeSentence } from './friendly-errors';
import { clockTime, messageLines, outgoingText, presenceText, TICKS } from './message-lines';
import { goneText, partialText } from './pipe-display';
import { readSentence } from './read-notes';
import { linesOf, Remarks, renewed, type Block } from './remarks';
import { whyNotSent } from './outgoing-lines';
import { safeLine } from './safe-text';
import type { Terminal, View } from './screen';
import { rowsOf } from './width';

/** So many remarks of the program stay in a chat. */
const MAX_REMARKS = 500;
/** So many chats with unread messages are named in the line of status. */
const MAX_UNREAD = 4;

/** What the program said, and behind which message. */
interface Remark extends Block {
  after: string;
}

/**
 * A chat in a terminal: always drawn from what the client holds, so that every line stands in the
 * order of the log, with the mark, text and name that it has now.
 */
export class ChatView implements Display, View {
  private begun = false;
  private loading = false;
  private remarks: Remark[] = [];
  /** Why messages came back to the input, in the open chat: said again when that closes. */
  private returned: string[] = [];
  /** Sent, but what the server adds (to an image, say) is not here yet. */
  private readonly settling = new Map<string, Outgoing>();
  private readonly toldAbsent = new Set<string>();
  private saidHeld = false;
  /** What is shown while no chat is open. */
  private readonly lobby = new Remarks();

  constructor(
    private readonly floor: ChatFloor & { screen: Terminal },
    private readonly connection: ConnectionNotes,
  ) {
    const { client, screen } = floor;
    const draw = (): void => screen.changed();
    client.on('message', (event) => this.heard(event));
    for (const name of [
      'changed',
      'receipt',
      'outgoing',
      'unread',
      'typing',
      'details',
      'presence',
    ] as const) {
      client.on(name, draw);
    }
    client.on('state', draw);
    client.on('sent', (event) => this.sent(event));
    client.on('failed', (event) => this.failed(event));
    client.on('held', () => this.held());
    client.on('changeFailed', ({ code, detail }) => {
      const why = codeSentence(code, detail);
      screen.print(screen.style.bad(`${TICKS.failed} a change of before was not made — ${why}`));
    });
    client.on('pending', ({ messageId, offline }) => this.absent(messageId, offline));
    client.on('expired', (event) => this.expired(event));
    client.on('synced', () => this.look());
    connection.on(draw);
    screen.on({ looks: () => this.look() });
    screen.show(this);
  }

  begin(): void {
    this.begun = true;
    this.look();
  }

  end(): void {}

  entered(room: OpenRoom): void {
    this.remarks = [];
    this.returned = [];
    this.loading = true;
    room.shownFrom = this.floor.texts(room).slice(-this.floor.screen.rows)[0]?.position;
    this.floor.screen.show(this);
  }

  opened(room: OpenRoom, messages: readonly Message[]): void {
    this.loading = false;
    const [first] = messages;
    if (first && (!room.shownFrom || comparePositions(first.position, room.shownFrom) < 0)) {
      room.shownFrom = first.position;
    }
    this.look();
  }

  closed(): void {
    this.remarks = [];
    if (this.returned.length > 0) this.lobby.add(this.returned.splice(0));
    this.floor.screen.show(this);
  }

  earlier(): void {
    this.floor.screen.changed();
  }

  completed(): void {
    this.look();
  }

  written(): void {
    this.floor.screen.changed();
  }

  clear(): void {
    this.remarks = [];
    this.lobby.clear();
    this.floor.screen.show(this);
  }

  add(lines: readonly string[], key?: string): void {
    const room = this.floor.room();
    if (key !== undefined) {
      if (renewed(this.remarks, key, lines)) return;
      // The list of the beginning, which nobody has typed for, comes into no chat.
      if (room && !askedNow()) return this.lobby.add(lines, key);
      this.lobby.renew(key, lines);
    }
    const head = this.answered(room);
    if (!room) return this.lobby.add(lines, key, head);
    const after = this.floor.texts(room).at(-1)?.position ?? '0';
    this.remarks.push({ after, head, lines, key });
    if (this.remarks.length > MAX_REMARKS) this.remarks.shift();
  }

  renew(key: string, lines: readonly string[]): boolean {
    const here = renewed(this.remarks, key, lines);
    return this.lobby.renew(key, lines) || here;
  }

  /** An answer to what was typed in another chat says so. */
  private answered(room: OpenRoom | null): string[] {
    const asked = askedNow();
    if (!asked || asked.opens || isSameRoom(asked.room, room)) return [];
    const { people, rooms, screen } = this.floor;
    const { user, conversationId } = asked.room ?? {};
    const name = user ? people.name(user.id) : conversationId && rooms.name(conversationId);
    const where = name === undefined ? '' : `, typed in the chat ${user ? 'with ' : ''}${name}`;
    return [screen.style.dim(`  ${safeLine(asked.line)}${where}:`)];
  }

  rows(columns: number, atLeast: number): string[] {
    const room = this.floor.room();
    if (!room) return this.lobby.rows(columns, atLeast);
    const pieces: string[][] = [];
    let count = 0;
    const add = (lines: readonly string[]): void => {
      const rows = lines.flatMap((line) => rowsOf(line, columns));
      pieces.push(rows);
      count += rows.length;
    };
    for (const outgoing of this.underWay(room).reverse()) {
      if (count < atLeast) add(this.outgoingLines(outgoing, columns));
    }
    for (const item of this.items(room).reverse()) {
      if (count >= atLeast) break;
      add('after' in item ? linesOf(item) : this.floor.transcript.linesOf(item, columns));
    }
    if (count < atLeast) add(this.head(room));
    return pieces.reverse().flat();
  }

  /** Words for the line of status. */
  left(): string[] {
    const { client, room, people } = this.floor;
    const open = room();
    const id = open?.conversationId;
    const words: string[] = [];
    const changes = client.pendingChanges;
    const waits = changes === 1 ? '1 change waits, ' : `${changes} changes wait, `;
    if (this.connection.offline) {
      words.push(`offline — ${changes > 0 ? waits : ''}what you type is kept and sent later`);
    } else if (client.state !== 'online') words.push('connecting …');
    const last = open && !open.user ? this.floor.lastOwn() : undefined;
    const read = last && readSentence(this.floor.transcript.progress(last));
    if (read) words.push(read);
    const names = id === undefined ? [] : client.typingIn(id).map((user) => people.name(user));
    if (names.length > 2) words.push(`${names.length} people are typing…`);
    else if (names.length > 0)
      words.push(`${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing…`);
    return words;
  }

  /** Chats with unread messages, for the line of status. */
  unread(): string[] {
    const { client, rooms, room, screen } = this.floor;
    const here = screen.looked ? room()?.conversationId : undefined;
    const chats = client
      .conversations()
      .filter((id) => id !== here && client.unread(id) > 0)
      .reverse();
    const named = chats.slice(0, MAX_UNREAD).map((id) => `${rooms.name(id)} ${client.unread(id)}`);
    if (named.length === 0) return [];
    named[0] = `new: ${named[0]!}`;
    if (chats.length > named.length) named.push(`${chats.length - named.length} more`);
    return named;
  }

  private head(room: OpenRoom): string[] {
    const { client, header, screen, texts } = this.floor;
    const lines = [header(room, this.here(room))];
    const remark = (text: string): unknown => lines.push(screen.style.dim(`  ${text}`));
    if (room.partial) remark(partialText(client));
    else if (this.loading) remark('…');
    else if (texts(room).length === 0) remark('no messages yet');
    return lines;
  }

  /** Who is here of the chat, as it is now. */
  private here(room: OpenRoom): string {
    const { client } = this.floor;
    if (room.user) return presenceText(client.presenceOf(room.user.id));
    const there = (room.memberIds ?? []).filter((userId) => {
      const presence = client.presenceOf(userId);
      return presence !== undefined && presence.status !== 'offline';
    });
    return there.length === 0 ? '' : `${there.length} here`;
  }

  /** Messages in the order of the log, and between them what was said when they were the last. */
  private items(room: OpenRoom): (Message | Remark)[] {
    const items: (Message | Remark)[] = [];
    const from = room.shownFrom;
    const left = [...this.remarks];
    for (const message of this.floor.texts(room)) {
      if (from !== undefined && comparePositions(message.position, from) < 0) continue;
      while (left.length > 0 && comparePositions(left[0]!.after, message.position) < 0) {
        items.push(left.shift()!);
      }
      items.push(message);
    }
    return [...items, ...left];
  }

  /** Own messages of a chat that have no place in the log yet, in the order of writing. */
  private underWay(room: OpenRoom): Outgoing[] {
    const { client } = this.floor;
    const model = client.conversation(room.conversationId ?? '');
    for (const id of this.settling.keys()) if (model?.message(id)) this.settling.delete(id);
    const all = [...this.settling.values(), ...client.unsent];
    return all.filter(({ record }) => isFor(room, record));
  }

  private outgoingLines(outgoing: Outgoing, columns: number): string[] {
    const { style } = this.floor.screen;
    const line = {
      time: clockTime(new Date(outgoing.record.writtenAt).toISOString()),
      author: 'you',
      tick: TICKS[outgoing.state],
      text: outgoingText(outgoing),
      own: true,
    };
    return messageLines(line, columns, style);
  }

  private heard({ message, own, source }: ClientEvents['message']): void {
    const { transcript, rooms, screen } = this.floor;
    const { conversationId } = message;
    if (this.isHere(message)) {
      const room = this.floor.room()!;
      room.conversationId ??= conversationId;
      room.shownFrom ??= message.position;
      this.look();
      if (!own && source === 'push' && this.begun && !screen.looked) screen.bell();
    } else if (this.begun && !own && source === 'push') {
      screen.bell();
      if (message.content.kind === 'event') void this.tellElsewhere(message);
    }
    const done = (): void => screen.changed();
    void Promise.all([transcript.lookUp([message]), rooms.lookUp(conversationId)]).then(done, done);
    done();
  }

  /** What happens in another chat, in a line; its messages are counted only. */
  private async tellElsewhere(message: Message): Promise<void> {
    const { content, senderId, conversationId } = message;
    if (content.kind !== 'event') return;
    const { transcript, rooms, screen, status } = this.floor;
    await Promise.all([transcript.lookUp([message]), rooms.lookUp(conversationId)]);
    const line = eventLine(content.event, senderId, transcript.name);
    if (line !== null) status(`in ${rooms.name(conversationId)}: ${line}`);
    screen.changed();
  }

  private isHere({ conversationId, senderId }: Message): boolean {
    const room = this.floor.room();
    if (!room) return false;
    if (room.conversationId !== undefined) return room.conversationId === conversationId;
    // The first message of somebody whose chat is open, but has no conversation yet.
    const other = this.floor.rooms.get(conversationId)?.userId;
    return other === room.user?.id || (other === undefined && senderId === room.user?.id);
  }

  /** What is on the screen is read while somebody looks at it. */
  private look(): void {
    const { client, screen, room } = this.floor;
    const id = room()?.conversationId;
    if (this.begun && id !== undefined && screen.looked) client.markRead(id);
    screen.changed();
  }

  private sent({ outgoing, place }: ClientEvents['sent']): void {
    this.saidHeld = false;
    const { rooms, client } = this.floor;
    const { to } = outgoing.record;
    const { conversationId, position } = place;
    if (to !== undefined) rooms.learnDirect(conversationId, to);
    const room = this.floor.room();
    if (room && room.conversationId === undefined && room.user?.id === to) {
      room.conversationId = conversationId;
    }
    if (room?.conversationId === conversationId) room.shownFrom ??= position;
    const held = client.conversation(conversationId)?.message(outgoing.messageId);
    if (!held) this.settling.set(outgoing.messageId, outgoing);
    this.floor.screen.changed();
  }

  private failed({ outgoing, code, detail, void: isVoid }: ClientEvents['failed']): void {
    const { screen } = this.floor;
    if (code === 'content_expired' && outgoing) {
      return this.floor.status(
        `${TICKS.failed} a message was not sent in time and has disappeared`,
      );
    }
    const text = outgoing ? `: ${safeLine(outgoingText(outgoing))}` : '';
    const what = isVoid ? 'a message shown as sent is void' : `not sent${text}`;
    const why = whyNotSent(outgoing, { code, detail }, this.floor.rooms);
    const line = screen.style.bad(`${TICKS.failed} ${what} — ${why}`);
    screen.print(line);
    if (!outgoing || isVoid || outgoing.text === '') return;
    const room = this.floor.room();
    if (room && !isFor(room, outgoing.record)) screen.keep(outgoing.text);
    else screen.giveBack(outgoing.text);
    if (room) this.returned.push(line);
  }

  private held(): void {
    if (this.saidHeld) return;
    this.saidHeld = true;
    this.floor.status('the server keeps what you write for now (◦) and sends it as soon as it can');
  }

  private absent(messageId: string, offline: readonly string[]): void {
    const room = this.floor.room();
    const own = this.floor.lastOwn();
    if (!room || own?.messageId !== messageId) return;
    for (const userId of offline) {
      if (this.toldAbsent.has(userId)) continue;
      this.toldAbsent.add(userId);
      this.floor.status(`${this.floor.people.name(userId)} is not online; they will get it later`);
    }
  }

  private expired({ conversationId, messageIds }: ClientEvents['expired']): void {
    if (conversationId !== this.floor.room()?.conversationId) return this.floor.screen.changed();
    this.floor.status(goneText(messageIds.length));
  }
}
