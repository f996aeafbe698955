import type { TidingsClient } from '@tidings/sdk';
import type { Chat } from './chat';
import type { Files } from './files';
import type { People } from './people';

export interface MessageCommandDeps {
  client: TidingsClient;
  people: People;
  files: Files;
  chat: Chat;
}

/** Commands about single messages: images and files, changes, who has read them. */
export class MessageCommands {
  constructor(private readonly deps: MessageCommandDeps) {}

  /** Carries out a command; false: it is not one of these. */
  async handle(name: string, argument: string): Promise<boolean> {
    const { chat } = this.deps;
    switch (name) {
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
      case '/edit':
        await this.edit(argument);
        return true;
      case '/delete':
        await this.remove();
        return true;
      case '/read':
        await this.readBy();
        return true;
      default:
        return false;
    }
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

  private async edit(text: string): Promise<void> {
    const { chat, client } = this.deps;
    const last = chat.lastOwn();
    if (!last) return chat.status('you have written nothing here yet');
    if (text === '') return chat.status('what shall it say? /edit TEXT');
    if (last.content.kind !== 'text') return chat.status('only a text can be changed');
    const { conversationId, messageId } = last;
    await client.edit({ conversationId, messageId, text });
  }

  private async remove(): Promise<void> {
    const { chat, client } = this.deps;
    const last = chat.lastOwn();
    if (!last) return chat.status('you have written nothing here yet');
    const { conversationId, messageId } = last;
    await client.deleteMessage({ conversationId, messageId });
  }

  private async readBy(): Promise<void> {
    const { chat, client, people } = this.deps;
    const last = chat.lastOwn();
    if (!last) return chat.status('you have written nothing here yet');
    const { conversationId, position } = last;
    const marks = await client.loadReceipts(conversationId);
    const me = client.session?.user.id;
    const others = marks.filter(({ userId }) => userId !== me);
    const reached = (which: 'delivered' | 'read'): string[] =>
      others.filter((m) => BigInt(m[which]) >= BigInt(position)).map((m) => m.userId);
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
