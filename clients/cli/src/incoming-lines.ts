import type { ClientEvents, Message } from '@tidings/sdk';
import type { ChatFloor } from './chat-floor';
import { clockTime, contentText } from './message-lines';

/** Prints what arrives: messages and changes of others, and own ones from other devices. */
export class IncomingLines {
  private begun = false;
  private synced = false;
  /** Lines that wait for a name, and those behind them. */
  private printing: Promise<void> | null = null;

  constructor(
    private readonly floor: ChatFloor,
    /** Whether this program has sent a message, which it prints then itself. */
    private readonly isMine: (messageId: string) => boolean,
  ) {
    floor.client.on('message', (event) => this.heard(event));
    floor.client.on('changed', ({ message }) => this.changed(message));
  }

  /** From now on what is pushed is news. */
  begin(): void {
    this.begun = true;
  }

  /** From now on what a sync brings is news, too, not the past. */
  inStep(): void {
    this.synced = true;
  }

  private heard({ message, own, source }: ClientEvents['message']): void {
    const { rooms, transcript } = this.floor;
    const news = source === 'push' || (source === 'sync' && this.synced);
    if (!this.begun || !news || !transcript.shows(message)) return;
    if (own && this.isMine(message.messageId)) return;
    const { conversationId, content } = message;
    const here = this.here(message);
    // What one does in another chat oneself is no news.
    if (own && !here && content.kind === 'event') return;
    const known = transcript.knows(message) && (here || rooms.knows(conversationId));
    if (!this.printing && known) return this.show(message);
    this.after(
      () => Promise.all([transcript.lookUp([message]), here || rooms.lookUp(conversationId)]),
      () => this.show(message),
    );
  }

  /** Prints in order of arrival, when what is needed for it is there. */
  private after(ready: () => Promise<unknown>, print: () => void): void {
    const printed: Promise<void> = (this.printing ?? Promise.resolve()).then(ready).then(() => {
      if (this.printing === printed) this.printing = null;
      print();
    });
    this.printing = printed;
  }

  private show(message: Message): void {
    const { screen, transcript, client } = this.floor;
    // It may have disappeared while a name was looked up.
    const { conversationId, messageId } = message;
    if (!client.conversation(conversationId)?.message(messageId)) return;
    if (!this.here(message)) {
      return screen.print(transcript.elsewhere(conversationId), ...transcript.news(message));
    }
    const room = this.floor.room()!;
    room.conversationId ??= conversationId;
    room.shownFrom ??= message.position;
    screen.print(...transcript.news(message));
    client.markRead(conversationId);
  }

  private here({ conversationId, senderId }: Message): boolean {
    const room = this.floor.room();
    if (!room) return false;
    if (room.conversationId !== undefined) return room.conversationId === conversationId;
    // The first message of somebody whose chat is open, but has no conversation yet.
    const other = this.floor.rooms.get(conversationId)?.userId;
    return other === room.user?.id || (other === undefined && senderId === room.user?.id);
  }

  /** An edit or a deletion of what is on the screen. */
  private changed(message: Message): void {
    const { transcript, status, files } = this.floor;
    if (message.version === '0' || !transcript.has(message.messageId)) return;
    const who = transcript.name(message.senderId);
    const which = `${who === 'you' ? 'your' : `${who}'s`} message of ${clockTime(message.sentAt)}`;
    if (message.deleted) return status(`✎ ${which} was deleted`);
    const text = contentText(message.content, false, files.number(message));
    status(`✎ ${which} says now: ${text}`);
  }
}
