import { comparePositions, type Message, type ReadBy } from '@tidings/sdk';
import type { ChatParts } from './chat-parts';
import { eventLine, eventUsers } from './event-lines';
import { clockTime, contentText, messageLines, tickOf } from './message-lines';
import { safeLine } from './safe-text';
import { shortened } from './width';

/** So many messages are taken for being on the screen at most, the latest ones. */
const MAX_NOTED = 5_000;
/** After messages that stand further down than they belong. */
export const BACK_TO_NOW = '— back to now —';
/** Columns for the beginning of a line that is pointed to. */
const PIECE = 48;

/** How messages look, which of them are on the screen, and whether they stand there in their order. */
export class Transcript {
  private readonly onScreen = new Set<string>();
  /** The message printed last belongs before this one, which stands above it; null: in its order. */
  private before: Message | null = null;

  constructor(private readonly parts: ChatParts) {}

  /** Name of a user in a sentence. */
  readonly name = (userId: string): string =>
    this.isMe(userId) ? 'you' : this.parts.people.name(userId);

  isMe(userId: string): boolean {
    return userId === this.parts.client.currentLogin?.user.id;
  }

  /** Whether there is something to show of a message. */
  shows({ content, senderId }: Message): boolean {
    return content.kind !== 'event' || eventLine(content.event, senderId, this.name) !== null;
  }

  /** How many of the others have a message and have read it; in large groups as far as is known. */
  progress({ conversationId, position }: Pick<Message, 'conversationId' | 'position'>): ReadBy {
    const { client, rooms } = this.parts;
    const marks = client.readBy(conversationId, position);
    const others = (rooms.get(conversationId)?.memberCount ?? 0) - 1;
    return { ...marks, of: Math.max(marks.of, others) };
  }

  /** The lines of messages in their order, which are on the screen from now on. */
  lines(...messages: Message[]): string[] {
    this.before = null;
    return messages.flatMap((message) => {
      this.note(message.messageId);
      return this.linesOf(message);
    });
  }

  /** The lines of a message that comes by itself, with its place when that is further up. */
  news(message: Message): string[] {
    return [...this.placed(message), ...this.linesOf(message)];
  }

  /**
   * A message is printed below all others. What is to be said before it: which line it belongs before,
   * when later ones of its chat are there already; and where the order goes on after such ones.
   */
  placed(at: Pick<Message, 'conversationId' | 'messageId' | 'position'>): string[] {
    const { client, screen } = this.parts;
    const { conversationId, messageId, position } = at;
    const next = client
      .messages(conversationId)
      .find((m) => comparePositions(m.position, position) > 0 && this.has(m.messageId));
    const last = this.before;
    this.before = next ?? null;
    this.note(messageId);
    if (next?.messageId === last?.messageId) return [];
    if (next) return [screen.style.dim(`  earlier, before: ${this.piece(next)}`)];
    return last?.conversationId === conversationId ? [screen.style.dim(`  ${BACK_TO_NOW}`)] : [];
  }

  /** These are on the screen (or nothing: it is empty). */
  begin(): void {
    this.onScreen.clear();
  }

  has(messageId: string): boolean {
    return this.onScreen.has(messageId);
  }

  /** Notes a message whose lines were made elsewhere. */
  note(messageId: string): void {
    this.onScreen.add(messageId);
    const [oldest] = this.onScreen;
    if (this.onScreen.size > MAX_NOTED) this.onScreen.delete(oldest!);
  }

  /** Settles when the names in these messages are known, as far as they can be told. */
  async lookUp(messages: readonly Message[]): Promise<void> {
    await this.parts.people.lookUp([...this.users(messages)]);
  }

  /** Whether all names in a message are known. */
  knows(message: Message): boolean {
    return [...this.users([message])].every((id) => this.parts.people.knows(id));
  }

  /** Says in which other chat something happens. */
  elsewhere(conversationId: string): string {
    const { rooms, screen } = this.parts;
    const name = rooms.name(conversationId);
    const group = rooms.get(conversationId)?.userId === undefined;
    const where = group ? `in ${name}` : `in the chat with ${name}`;
    const way = rooms.knows(conversationId) ? ` (/chat ${name})` : '';
    return screen.style.dim(`  ${where}${way}:`);
  }

  /** The beginning of a message, to find it on the screen. */
  private piece(message: Message): string {
    const { content, senderId, sentAt, deleted } = message;
    const { files } = this.parts;
    const text =
      content.kind === 'event'
        ? `· ${eventLine(content.event, senderId, this.name) ?? ''}`
        : `${this.name(senderId)}  ${safeLine(contentText(content, deleted, files.number(message)))}`;
    return shortened(`${clockTime(sentAt)}  ${text}`, PIECE);
  }

  /** The lines of one message as it is now, for so many columns. */
  linesOf(message: Message, columns = this.parts.screen.columns): string[] {
    const { screen, files, people } = this.parts;
    const { content, senderId, version, deleted } = message;
    if (content.kind === 'event') {
      const line = eventLine(content.event, senderId, this.name);
      return line === null ? [] : [screen.style.dim(`${clockTime(message.sentAt)}  · ${line}`)];
    }
    const own = this.isMe(senderId);
    const changed = version !== '0' && !deleted ? ' (changed)' : '';
    return messageLines(
      {
        time: clockTime(message.sentAt),
        author: own ? 'you' : people.name(senderId),
        tick: own ? tickOf(this.progress(message)) : undefined,
        text: contentText(content, deleted, files.number(message)) + changed,
        own,
      },
      columns,
      screen.style,
    );
  }

  private users(messages: readonly Message[]): Set<string> {
    const ids = messages.flatMap(({ content, senderId }) => [
      senderId,
      ...(content.kind === 'event' ? eventUsers(content.event) : []),
    ]);
    return new Set(ids.filter((id) => !this.isMe(id)));
  }
}
