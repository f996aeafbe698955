import type { Message, ReadBy } from '@tidings/sdk';
import type { ChatParts } from './chat-parts';
import { eventLine, eventUsers } from './event-lines';
import { clockTime, contentText, messageLines, tickOf } from './message-lines';

/** So many messages are taken for being on the screen at most, the latest ones. */
const MOST_NOTED = 5_000;

/** How messages look, and which of them are on the screen. */
export class Transcript {
  private readonly onScreen = new Set<string>();

  constructor(private readonly parts: ChatParts) {}

  /** Name of a user in a sentence. */
  readonly name = (userId: string): string =>
    this.isMe(userId) ? 'you' : this.parts.people.name(userId);

  isMe(userId: string): boolean {
    return userId === this.parts.client.session?.user.id;
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

  /** The lines of messages, which are on the screen from now on. */
  lines(...messages: Message[]): string[] {
    return messages.flatMap((message) => {
      this.note(message.messageId);
      return this.linesOf(message);
    });
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
    if (this.onScreen.size > MOST_NOTED) this.onScreen.delete(oldest!);
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
    const where = group
      ? `in ${name} (/chat ${name}):`
      : `in the chat with ${name} (/chat ${name}):`;
    return screen.style.dim(`  ${where}`);
  }

  private linesOf(message: Message): string[] {
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
      screen.columns,
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
