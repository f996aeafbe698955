import { comparePositions, type Message, type TidingsClient } from '@tidings/sdk';
import type { Chat, Written } from './chat';
import type { Files } from './files';
import { clockTime, contentText, outgoingText } from './message-lines';
import { readPath, readWord } from './paths';
import type { People } from './people';
import { safeLine } from './safe-text';
import type { Screen } from './screen';
import { confirmed } from './confirm';
import { shortened } from './width';

export interface MessageCommandDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  files: Files;
  chat: Chat;
}

/** Columns for a message that is asked about. */
const PIECE = 40;

/** Commands about single messages: images and files, changes, who has read them. */
export class MessageCommands {
  constructor(private readonly deps: MessageCommandDeps) {}

  /** Carries out a command; null: it is not one of these. */
  handle(name: string, argument: string, signal: AbortSignal): Promise<void> | null {
    switch (name) {
      case '/image':
        return this.image(argument, signal);
      case '/file':
        return this.file(argument, signal);
      case '/save':
        return this.save(argument, signal);
      case '/edit':
        return this.edit(argument);
      case '/delete':
        return this.remove(argument);
      case '/read':
        return this.readBy();
      default:
        return null;
    }
  }

  private async image(argument: string, signal: AbortSignal): Promise<void> {
    const { chat } = this.deps;
    const found = readWord(argument);
    if (!found)
      return chat.status('which image? /image PATH CAPTION; "…" or \\ for blanks in PATH');
    await chat.attach(found.word, found.rest, signal);
  }

  private async file(argument: string, signal: AbortSignal): Promise<void> {
    const { chat } = this.deps;
    const path = readPath(argument);
    if (path === null) return chat.status('which file? /file PATH');
    await chat.attach(path, undefined, signal);
  }

  private async save(argument: string, signal: AbortSignal): Promise<void> {
    const { chat, files } = this.deps;
    const [, number, path] = /^(\d+)(?:\s+(.+))?$/s.exec(argument) ?? [];
    if (number === undefined) return chat.status('which one? /save N, or /save N FOLDER');
    const target = path === undefined ? undefined : (readPath(path) ?? undefined);
    chat.status(`saved: ${await files.save(Number(number), target, signal)}`);
  }

  private async edit(text: string): Promise<void> {
    const { chat, client } = this.deps;
    const last = chat.lastWritten();
    if (!last) return chat.status('you have written nothing here yet');
    if (text === '') return chat.status('what shall it say? /edit TEXT');
    if (last.content.kind !== 'text') return chat.status('only a text can be changed');
    const { messageId, conversationId } = last;
    await client.edit({ messageId, conversationId, text });
  }

  private async remove(argument: string): Promise<void> {
    const { chat, client, screen } = this.deps;
    const back = argument === '' ? 1 : /^[1-9]\d{0,3}$/.test(argument) ? Number(argument) : 0;
    if (back === 0)
      return chat.status('which one? /delete, or /delete N for your Nth last message');
    const message = chat.lastWritten(back);
    if (!message) {
      const none = back === 1 ? 'you have written nothing here yet' : 'so many are not yours here';
      return chat.status(none);
    }
    if (!(await confirmed(screen, `Delete ${this.piece(message)} for everybody?`))) return;
    const { messageId, conversationId } = message;
    await client.deleteMessage({ messageId, conversationId });
  }

  private piece({ content, sentAt, outgoing }: Written): string {
    const said = outgoing ? outgoingText(outgoing) : contentText(content as Message['content']);
    const text = shortened(safeLine(said), PIECE);
    return `your message of ${clockTime(sentAt)} "${text}"`;
  }

  private async readBy(): Promise<void> {
    const { chat, client, people } = this.deps;
    const last = chat.lastOwn();
    if (!last) return chat.status('you have written nothing here yet');
    const { conversationId, position } = last;
    const marks = await client.loadReceipts(conversationId);
    const me = client.currentLogin?.user.id;
    const others = marks.filter(({ userId }) => userId !== me);
    const reached = (which: 'delivered' | 'read'): string[] =>
      others.filter((m) => comparePositions(m[which], position) >= 0).map((m) => m.userId);
    const read = reached('read');
    const delivered = reached('delivered').filter((id) => !read.includes(id));
    await people.lookUp([...read, ...delivered].slice(0, 100));
    const names = (ids: readonly string[]): string =>
      ids.length === 0 ? '' : `: ${ids.map((id) => people.name(id)).join(', ')}`;
    chat.status(`read by ${read.length} of ${others.length}${names(read)}`);
    if (delivered.length > 0)
      chat.status(`received by ${delivered.length} more${names(delivered)}`);
  }
}
