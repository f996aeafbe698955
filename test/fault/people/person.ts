import { TidingsError } from '@tidings/protocol/errors';
import { uuidv7 } from 'uuidv7';
import type { Content, Message } from '@tidings/protocol/content';
import type { TidingsClient } from '@tidings/sdk';
import { nodeClient } from '@tidings/sdk/node';
import type { HistoryEvent } from '../../../tools/load/history';
import { ChatUser } from '../../support/chat-user';
import { type Begun, type Diary, lineOf, type Whose } from './diary';
import { TappedTransport } from './tapped-transport';

/** What a client gives up by itself says nothing of what the server did. */
const GIVEN_UP = new Set(['content_expired']);
const PATIENCE_MS = 90_000;
const PAUSE_MS = 500;

/** A device of a person: an SDK client, and what it sees. */
export class Device {
  readonly client: TidingsClient;
  private readonly transport: TappedTransport;
  /** message id → the send that waits for its end */
  private readonly open = new Map<string, HistoryEvent>();
  /** Messages of which a gateway has said that it holds them. */
  readonly held = new Set<string>();
  /** Messages that had to wait because the device's own network failed. */
  readonly cutShort = new Set<string>();
  private isCut = false;
  /** conversation → how often its copy was begun anew */
  private readonly copies = new Map<string, number>();

  constructor(
    readonly diary: Diary,
    readonly whose: Whose,
    private readonly user: ChatUser,
  ) {
    this.transport = new TappedTransport(diary, whose);
    this.client = nodeClient({ servers: user.bases, transport: this.transport });
    this.listen();
  }

  async start(): Promise<void> {
    const { username, deviceId } = this.user;
    await this.client.login({ username, password: ChatUser.PASSWORD, device: { id: deviceId } });
    await this.client.start();
  }

  get unanswered(): number {
    return this.open.size;
  }

  /** Loses its network for so long. */
  cut(forMs: number): void {
    this.isCut = true;
    for (const cid of this.open.keys()) this.cutShort.add(cid);
    this.transport.cut(forMs);
  }

  send(c: string, content: Content, replyTo?: string): void {
    const sent = this.client.send({ conversationId: c, content, replyTo });
    const v = lineOf(content)!;
    const cid = sent.messageId;
    const op = this.diary.begin({ f: 'send', ...this.whose, c, cid, v, re: replyTo });
    this.open.set(cid, op);
    if (this.isCut) this.cutShort.add(cid);
  }

  /** An edit, or without a text a deletion. */
  async change(c: string, cid: string, text?: string): Promise<void> {
    const f = text === undefined ? 'delete' : 'edit';
    const op = this.diary.begin({ f, ...this.whose, c, cid, v: text, s: uuidv7() });
    const place = { conversationId: c, messageId: cid };
    const before = this.transport.tries(f, cid);
    try {
      const message =
        text === undefined
          ? await this.client.deleteMessage(place)
          : await this.client.edit({ ...place, text });
      // a deletion that came before ours is what counts
      const mine = text === undefined || lineOf(message.content) === text;
      this.diary.end(op, 'ok', mine ? { seq: message.version } : {});
    } catch (error) {
      // as with a send, an earlier try may be carried out yet
      const certain = error instanceof TidingsError && this.transport.tries(f, cid) - before <= 1;
      this.diary.end(op, certain ? 'fail' : 'info', { v: codeOf(error) });
    }
  }

  /** A call that may be repeated until somebody answers; a refusal of a repetition is none. */
  async call(
    begun: Begun,
    ask: () => Promise<{ position?: string } | object | void>,
    doneAlready: readonly string[] = [],
  ): Promise<boolean> {
    const op = this.diary.begin({ ...this.whose, ...begun });
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        const answer = (await ask()) as { position?: string } | undefined;
        this.diary.end(op, 'ok', { seq: answer?.position });
        return true;
      } catch (error) {
        const code = codeOf(error);
        if (doneAlready.includes(code)) {
          this.diary.end(op, 'ok');
          return true;
        }
        const over = performance.now() > end || this.client.state === 'stopped';
        if (isFinal(error) || over) {
          this.diary.end(op, isFinal(error) ? 'fail' : 'info', { v: code });
          return false;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Reads the newest page of a history. */
  async look(c: string, limit: number): Promise<void> {
    const inv = this.diary.now();
    try {
      const page = await this.client.history(c, { limit });
      if (page.delayed !== true) this.diary.saw('answer', this.whose, c, page.items, { inv });
    } catch {
      // refused or away: nothing was seen
    }
  }

  /** The whole history as this user may read it; null: none, he is no member. */
  async readAll(c: string): Promise<void> {
    const inv = this.diary.now();
    const all: Message[] = [];
    for (let before: string | undefined; ; before = all[0]?.position) {
      const page = await this.client.api.history(c, { before, limit: 200 });
      if (page.delayed === true) throw new Error('the history is delayed');
      all.unshift(...page.items);
      if (!page.more) break;
    }
    this.diary.saw('page', this.whose, c, all, { inv });
  }

  /** Pages in what a sync has left out, as an application does whose user scrolls up. */
  async pageIn(c: string): Promise<void> {
    for (;;) {
      const before = this.client.messages(c)[0]?.position;
      const page = await this.client.history(c, { before, limit: 200 });
      if (!page.more) return;
    }
  }

  private listen(): void {
    const { client, diary, whose, open } = this;
    client.on('state', ({ state }) => {
      if (state === 'online') this.isCut = false;
      diary.note('phase', state, whose);
    });
    client.on('conversation', ({ conversationId, what }) => {
      if (what === 'updated') return;
      this.copies.set(conversationId, (this.copies.get(conversationId) ?? 0) + 1);
      diary.note('phase', `${what} ${conversationId}`, whose);
    });
    client.on('message', ({ message }) => {
      const c = message.conversationId;
      if (message.content.kind === 'event' || !diary.knows(c)) return;
      diary.saw('emit', whose, c, [message], { inc: this.copies.get(c) ?? 0 });
    });
    client.on('held', ({ outgoing }) => this.held.add(outgoing.messageId));
    client.on('sent', ({ outgoing, place }) => {
      const op = open.get(outgoing.messageId);
      open.delete(outgoing.messageId);
      if (op) diary.end(op, 'ok', { seq: place.position });
    });
    client.on('failed', ({ messageId, code }) => {
      const op = open.get(messageId);
      open.delete(messageId);
      // an earlier try may be carried out yet: the refusal is of the last one
      const certain = !GIVEN_UP.has(code) && this.transport.tries('send', messageId) <= 1;
      if (op) diary.end(op, certain ? 'fail' : 'info', { v: code });
    });
    client.on('problem', ({ kind, detail }) => diary.note('phase', `${kind}: ${detail}`, whose));
  }
}

/** Somebody with one device or two. */
export class Person {
  readonly devices: Device[] = [];

  constructor(
    readonly name: string,
    readonly user: ChatUser,
  ) {}

  get id(): string {
    return this.user.id;
  }

  /** The first device. */
  get first(): Device {
    return this.devices[0]!;
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof TidingsError && error.status < 500 && error.status !== 429;
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error);
}
