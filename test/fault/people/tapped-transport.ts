import type { Message } from '@tidings/protocol/content';
import type { SyncedConversation } from '@tidings/protocol/frames';
import type { Receipt } from '@tidings/protocol/http';
import { wsTransport } from '@tidings/sdk/node';
import type { Frame } from '../../support/test-socket';
import type { Diary, Whose } from './diary';

type Transport = ReturnType<typeof wsTransport>;
type Opened = ReturnType<Transport['open']>;

/** Of the frames that a client sends, those that are written down. */
const TOLD = /"type":"(?:send|received|read|sync|edit|delete)"/;
const OFFLINE_CODE = 1006;

/** A transport that writes down what goes over it, as it was on the wire, and whose network can fail. */
export class TappedTransport implements Transport {
  readonly seesPings = true;
  private readonly inner = wsTransport();
  private connections = 0;
  private socket: Opened | null = null;
  private offlineUntil = 0;
  /** what and message id → how often it was put on a wire */
  private readonly asked = new Map<string, number>();

  constructor(
    private readonly diary: Diary,
    private readonly whose: Whose,
  ) {}

  /** How often a message, or a change of it, was put on a wire. */
  tries(what: 'send' | 'edit' | 'delete', messageId: string): number {
    return this.asked.get(`${what} ${messageId}`) ?? 0;
  }

  /** The connection is gone without a word, and none can be opened for so long. */
  cut(forMs: number): void {
    this.offlineUntil = performance.now() + forMs;
    this.socket?.abandon();
  }

  open(...[url, protocols, handlers]: Parameters<Transport['open']>): Opened {
    if (performance.now() < this.offlineUntil) {
      setTimeout(() => handlers.closed(OFFLINE_CODE, ''), 0);
      return { send: () => undefined, close: () => undefined, abandon: () => undefined };
    }
    const connection = new Connection(
      this.diary,
      this.whose,
      `${this.whose.d} ${this.connections++}`,
    );
    const over = (): void => this.diary.socket(this.whose, connection.name, 'over');
    this.diary.socket(this.whose, connection.name, 'opening');
    const socket = this.inner.open(url, protocols, {
      ...handlers,
      closed: (code, reason) => {
        over();
        handlers.closed(code, reason);
      },
      frame: (text) => {
        connection.came(JSON.parse(text) as Frame);
        handlers.frame(text);
      },
    });
    this.socket = {
      ...socket,
      send: (text) => {
        if (TOLD.test(text)) this.went(connection, JSON.parse(text) as Frame);
        socket.send(text);
      },
      close: (code) => {
        over();
        socket.close(code);
      },
      abandon: () => {
        over();
        socket.abandon();
      },
    };
    return this.socket;
  }

  private went(connection: Connection, frame: Frame): void {
    const key = `${frame.type} ${frame['messageId'] as string}`;
    if ('messageId' in frame) this.asked.set(key, (this.asked.get(key) ?? 0) + 1);
    connection.went(frame);
  }
}

/** One connection's part of the diary. */
class Connection {
  /** ref → when its sync was asked for */
  private readonly asked = new Map<unknown, number>();
  /** Own changes: their answers come beside the pushes, before or after the same as one of them. */
  private readonly changing = new Set<unknown>();

  constructor(
    private readonly diary: Diary,
    private readonly whose: Whose,
    readonly name: string,
  ) {}

  went(frame: Frame): void {
    const { type, conversationId: c, position, ref } = frame as unknown as Record<string, string>;
    if (type === 'sync') this.asked.set(ref, this.diary.now());
    else if (type === 'edit' || type === 'delete') this.changing.add(frame['changeId']);
    else if (type !== 'send' && this.diary.knows(c)) {
      this.diary.told(type as 'received' | 'read', this.whose, c, position!);
    }
  }

  came(frame: Frame): void {
    const { diary, whose, name: s } = this;
    if (frame.type === 'welcome') diary.socket(whose, s, 'open');
    if (frame.type === 'synced') return this.synced(frame);
    const c = frame['conversationId'];
    if (!diary.knows(c)) return;
    const message = frame as unknown as Message;
    if (frame.type === 'message')
      diary.saw('frame', whose, c, [message], { seq: message.position, s });
    if (frame.type === 'changed') {
      const own = this.changing.has(frame['changeId']);
      diary.saw('frame', whose, c, [message], own ? {} : { seq: message.version, s });
    }
    if (frame.type === 'conversation') diary.event(whose, c, message.position, s);
    if (frame.type === 'receipt') {
      const { userId, delivered, read } = frame as unknown as Receipt;
      diary.receipt(whose, c, userId, { delivered, read, s });
    }
  }

  private synced(frame: Frame): void {
    const { diary, whose } = this;
    const inv = this.asked.get(frame['ref']);
    const delayed = frame['delayed'] === true;
    for (const one of frame['conversations'] as SyncedConversation[]) {
      const { conversationId: c, messages, receipts } = one;
      if (!diary.knows(c)) continue;
      // what is delayed says itself that it may be older
      if (messages.length > 0 && !delayed) diary.saw('answer', whose, c, messages, { inv });
      if (one.unread !== undefined && !delayed) diary.unread(whose, c, one.unread, inv);
      for (const { userId, ...marks } of receipts) diary.receipt(whose, c, userId, marks);
    }
  }
}
